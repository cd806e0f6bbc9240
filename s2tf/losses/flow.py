"""Guidance of the flow by points whose motion is known, for trainings too short to find it from colours alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.lips import place_lips

FACE_X, FACE_Y = (-0.7, 0.0, 0.7), (-0.5, 0.0, 0.5, 1.0)
"""A grid over the face in its canonical frame (outer-eye distances): cheek to cheek, brows to chin."""


def face_points(lips: Tensor, eyes: Tensor, placement: Tensor) -> Tensor:
    """Points that move with the face: its lips, its eyelids and a coarse grid over it.

    Args:
        lips: (B, 20, 2) canonical lips.
        eyes: (B, 12, 2) canonical eyes.
        placement: (B, 4) where their frame lies, see `s2tf.nn.lips.place_lips`.

    Returns:
        (B, 44, 2) in picture units.
    """
    grid = torch.cartesian_prod(lips.new_tensor(FACE_X), lips.new_tensor(FACE_Y))
    return place_lips(torch.cat([lips, eyes, grid.expand(len(lips), -1, -1)], dim=1), placement)


def point_flow_loss(flow: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """() mean distance per axis between the flow at the target's points and the way from there to the source's.

    Args:
        flow: (B, 2, S, S) offsets x, y of the sampling positions, in picture units.
        source: (B, N, 2) points in the source picture, in picture units.
        target: (B, N, 2) the same points in the target picture.
    """
    sampled = F.grid_sample(flow.float(), target.unsqueeze(1), padding_mode="border", align_corners=False)
    return F.l1_loss(sampled.squeeze(2).transpose(1, 2), source - target)
