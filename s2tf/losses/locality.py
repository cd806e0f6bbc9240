"""Loss on the lip refiner's change of the picture away from the mouth."""

from torch import Tensor

from s2tf.nn.lips import mouth_region


def outside_mouth_loss(image: Tensor, unrefined: Tensor, mouth: Tensor) -> Tensor:
    """The mean absolute change by the refiner outside the box around the mouth, averaged over pictures; a scalar.

    Args:
        image: (B, 3, R, R) in [-1, 1].
        unrefined: (B, 3, R, R) the same pictures without the refiner.
        mouth: (B, 20, 2) placed lips in picture units.

    Example:
        >>> import torch
        >>> picture, mouth = torch.zeros(1, 3, 16, 16), torch.rand(1, 20, 2) / 4
        >>> outside_mouth_loss(picture, picture + 0.5, mouth).item()
        0.5
    """
    outside = (mouth_region(mouth, image.shape[-1]) == 0).to(image)
    change = (image - unrefined).abs().mean(dim=1, keepdim=True)
    # A mean for each picture, not over all pixels: otherwise the mean of the ranks' means would depend on the ranks.
    return ((change * outside).sum(dim=(1, 2, 3)) / outside.sum(dim=(1, 2, 3)).clamp_min(1)).mean()
