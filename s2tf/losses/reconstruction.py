"""The pixel part of the reconstruction loss L_r (Eq. 10): the mean absolute error."""

import torch.nn.functional as F
from torch import Tensor


def mean_absolute_error(picture: Tensor, target: Tensor) -> Tensor:
    """‖I − Î‖₁ as a mean over all elements; pictures in [-1, 1], shape (B, 3, H, W) both. Returns a scalar."""
    return F.l1_loss(picture, target)
