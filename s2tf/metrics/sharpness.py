"""How much fine structure a picture has: the energy of its gradient."""

import torch
from torch import Tensor

from s2tf.metrics.image import unit_range

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601."""


def gradient_energy(frames: Tensor) -> Tensor:
    """(N,) mean squared difference of neighbouring pixels' luma, across and down.

    Args:
        frames: (N, 3, H, W), uint8 or float in [-1, 1].
    """
    luma = (unit_range(frames) * torch.tensor(LUMA, device=frames.device).view(1, 3, 1, 1)).sum(1)
    return luma.diff(dim=-1).square().mean((1, 2)) + luma.diff(dim=-2).square().mean((1, 2))
