"""The pixel part of the reconstruction loss L_r (Eq. 10): the mean absolute error."""

import torch.nn.functional as F
from torch import Tensor


def mean_absolute_error(picture: Tensor, target: Tensor) -> Tensor:
    """The distance ‖I − Î‖₁ of pictures (B, 3, H, W) in [-1, 1], the mean over all elements; a scalar.

    Example:
        >>> import torch
        >>> mean_absolute_error(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)).item()
        1.0
    """
    return F.l1_loss(picture, target)
