"""Guidance of the flow by points of known motion, for trainings that are too short to learn the flow from colours."""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.lips import place_lips

FACE_X, FACE_Y = (-0.7, 0.0, 0.7), (-0.5, 0.0, 0.5, 1.0)
"""Coordinates of a grid over the face in its canonical frame (outer-eye distances): cheek to cheek, brows to chin."""
FACE_DEPTH = (0.1, 0.6)
"""Depth of the grid in space behind the stable points: at the middle, and the rise with the square of x."""


def face_points(lips: Tensor, eyes: Tensor, placement: Tensor) -> Tensor:
    """Points that move with the face: its lips, its eyelids and a coarse grid over it.

    Args:
        lips: (B, 20, 2) canonical lips, or (B, 20, 3) in space.
        eyes: (B, 12, 2) canonical eyes, or (B, 12, 3).
        placement: (B, 4) place of the canonical frame in the picture, or (B, 6); see `s2tf.nn.lips.place_lips`.

    Returns:
        (B, 44, 2) in picture units.

    Example:
        >>> face_points(torch.zeros(1, 20, 2), torch.zeros(1, 12, 2), torch.zeros(1, 4)).shape
        torch.Size([1, 44, 2])
    """
    grid = torch.cartesian_prod(lips.new_tensor(FACE_X), lips.new_tensor(FACE_Y))
    if lips.shape[-1] == 3:
        depth = FACE_DEPTH[0] + FACE_DEPTH[1] * grid[:, :1].square()
        grid = torch.cat([grid, depth], dim=1)
    return place_lips(torch.cat([lips, eyes, grid.expand(len(lips), -1, -1)], dim=1), placement)


def point_flow_loss(flow: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """The mean distance per axis between the flow at the target's points and their offsets to the source; a scalar.

    Args:
        flow: (B, 2, S, S) offsets x, y of the sampling positions, in picture units.
        source: (B, N, 2) points in the source picture, in picture units.
        target: (B, N, 2) the same points in the target picture.

    Example:
        >>> points = torch.zeros(1, 5, 2)
        >>> point_flow_loss(torch.full((1, 2, 8, 8), 0.5), points + 0.5, points).item()
        0.0
    """
    sampled = F.grid_sample(flow.float(), target.unsqueeze(1), padding_mode="border", align_corners=False)
    return F.l1_loss(sampled.squeeze(2).transpose(1, 2), source - target)
