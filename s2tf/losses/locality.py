"""The lip refiner's reach: what it changes in the picture, away from the mouth."""

from torch import Tensor

from s2tf.nn.lips import mouth_region


def elsewhere_loss(image: Tensor, unrefined: Tensor, mouth: Tensor) -> Tensor:
    """() mean absolute change by the refiner outside the box in which it acts itself, each picture counting alike.

    Args:
        image: (B, 3, R, R) in [-1, 1].
        unrefined: the same as it were without the refiner.
        mouth: (B, 20, 2) placed lips in picture units.
    """
    elsewhere = (mouth_region(mouth, image.shape[-1]) == 0).to(image)
    change = (image - unrefined).abs().mean(dim=1, keepdim=True)
    # Not over all of a batch's pixels together: the ranks' means would not be the mean over their pictures.
    return ((change * elsewhere).sum(dim=(1, 2, 3)) / elsewhere.sum(dim=(1, 2, 3)).clamp_min(1)).mean()
