"""Noise of lips and placements as prediction makes it: mouths that are opened, widened, turned or moved wrongly."""

import torch
from torch import Tensor


def noisy_lips(lips: Tensor, deviation: float) -> Tensor:
    """Lips (B, 20, D) moved by a random affine map about their centre, one for each row.

    Errors of predicted lips are shared by neighbouring points, so that independent noise of the points would be another
    kind of error, which is easily averaged out.

    Args:
        lips: canonical lips.
        deviation: standard deviation of a coordinate over points and rows, in outer-eye distances.

    Example:
        >>> lips = torch.rand(2, 20, 2)
        >>> torch.equal(noisy_lips(lips, 0.0), lips)
        True
    """
    rows, _, axes = lips.shape
    centred = lips - lips.mean(dim=1, keepdim=True)
    # Points in units of their own spread: the map's part of the noise has the deviation of the shift's part.
    units = centred / centred.square().sum(-1, keepdim=True).mean(1, keepdim=True).sqrt().clamp_min(1e-6)
    scale = torch.randn(rows, axes, axes, device=lips.device, dtype=lips.dtype)
    shift = torch.randn(rows, 1, axes, device=lips.device, dtype=lips.dtype)
    return lips + deviation * 0.5**0.5 * (units @ scale + shift)


def placement_deviations(noise: float | list[float], values: int) -> Tensor:
    """The standard deviation of the noise of each of the placement's `values`.

    Raises:
        ValueError: There are several numbers, but not one for each value.
    """
    each = [noise] * values if isinstance(noise, float | int) else list(noise)
    if len(each) != values:
        raise ValueError(f"placement_noise has {len(each)} numbers, expected one for all or {values}")
    return torch.tensor(each)
