"""Lip landmarks: openings of mouth and eyes, canonical lips placed in the picture, and lips rendered as pictures.

Placement and openings serve tensors and NumPy arrays alike.
"""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

ArrayT = TypeVar("ArrayT", Tensor, np.ndarray)

OUTER = slice(0, 12)
"""The closed outer contour among the 20 lip points: iBUG points 48-59."""
INNER = slice(12, 20)
"""The closed inner contour: iBUG points 60-67."""
MESH_LIPS = (61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91, 78, 82, 13, 312, 308, 317, 14, 87)
"""The 20 lip points in the numbering of MediaPipe's face mesh."""
INNER_UPPER, INNER_LOWER = (13, 14, 15), (19, 18, 17)
"""Pairs of facing points of the inner lips among the 20 lip points: iBUG's 61-67, 62-66 and 63-65."""
UPPER_LIDS, LOWER_LIDS = (1, 2, 7, 8), (5, 4, 11, 10)
"""Pairs of facing points of the eyelids among the 12 eye points: iBUG's 37-41, 38-40, 43-47 and 44-46."""
LINE_SHARE = 0.012
"""Width of a contour as a share of the picture's side; it is at least one and a half pixels."""


def place_lips(lips: ArrayT, placement: ArrayT) -> ArrayT:
    """Canonical lips as points of the picture: R lips exp(log scale) + centre.

    Args:
        lips: (..., N, 2) in the canonical frame of `s2tf.faces.lips`, or (..., N, 3) in that of `s2tf.faces.head`.
        placement: (..., 4) centre x, centre y, log scale, roll in radians, with R = [[cos, -sin], [sin, cos]]; lips in
            space need (..., 6), with yaw and pitch behind them and R of `head_rotation`.

    Returns:
        (..., N, 2) in picture units, -1 and 1 at the picture's edges, y down.

    Raises:
        ValueError: The lips are in space, and the placement has no yaw and pitch.

    Example:
        >>> place_lips(np.array([[1.0, 0.0]]), np.array([0.5, 0.0, 0.0, 0.0])).tolist()
        [[1.5, 0.0]]
    """
    scale = _functions(placement).exp(placement[..., 2:3])[..., None]
    if lips.shape[-1] == 3:
        if placement.shape[-1] != 6:
            raise ValueError(
                f"lips of shape {tuple(lips.shape)} with a placement of shape {tuple(placement.shape)}: lips in space "
                "need the head's yaw and pitch, expected (..., 6)"
            )
        across = _functions(placement).swapaxes(head_rotation(placement)[..., :2, :], -1, -2)
        return lips @ across * scale + placement[..., None, :2]
    return rotate(lips, placement[..., 3]) * scale + placement[..., None, :2]


def rotate(points: ArrayT, angle: ArrayT) -> ArrayT:
    """Rotate points: R(angle) @ point for points (..., N, 2) and angles (...) in radians.

    Example:
        >>> rotate(np.array([[1.0, 0.0]]), np.array(np.pi / 2)).round(6).tolist()
        [[0.0, 1.0]]
    """
    functions = _functions(points)
    cos, sin = functions.cos(angle)[..., None], functions.sin(angle)[..., None]
    x, y = points[..., 0], points[..., 1]
    return functions.stack([cos * x - sin * y, sin * x + cos * y], -1)


def head_rotation(placement: ArrayT) -> ArrayT:
    """The rotation (..., 3, 3) of a head placed at (..., 6): Rz(roll) Rx(pitch) Ry(yaw), z away from the viewer.

    Example:
        >>> (head_rotation(np.array([0, 0, 0, 0, np.pi / 2, 0])).round(6)[..., 2] + 0.0).tolist()  # to the left
        [-1.0, 0.0, 0.0]
    """
    functions = _functions(placement)
    (cos_roll, cos_yaw, cos_pitch), (sin_roll, sin_yaw, sin_pitch) = (
        [function(placement[..., index]) for index in (3, 4, 5)] for function in (functions.cos, functions.sin)
    )
    down, away = (
        (-sin_pitch * sin_yaw, cos_pitch, -sin_pitch * cos_yaw),
        (cos_pitch * sin_yaw, sin_pitch, cos_pitch * cos_yaw),
    )
    across = (cos_yaw, 0 * cos_yaw, -sin_yaw)
    rows = (
        [cos_roll * x - sin_roll * y for x, y in zip(across, down, strict=True)],
        [sin_roll * x + cos_roll * y for x, y in zip(across, down, strict=True)],
        list(away),
    )
    return functions.stack([functions.stack(row, -1) for row in rows], -2)


def mouth_opening(lips: ArrayT) -> ArrayT:
    """The mean gap between facing points of the inner lips.

    Args:
        lips: (..., 20, 2) or (..., 20, 3) canonical lips.

    Returns:
        (...) in outer-eye distances; 0 closed, negative where the lower lip is above the upper one.

    Raises:
        ValueError: `lips` has another shape.

    Example:
        >>> mouth_opening(np.zeros((5, 20, 2))).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    _check_points(lips, 20, "lips")
    return (lips[..., INNER_LOWER, 1] - lips[..., INNER_UPPER, 1]).mean(-1)


def eye_opening(eyes: ArrayT) -> ArrayT:
    """The mean gap between facing points of the lids of both eyes.

    Args:
        eyes: (..., 12, 2) or (..., 12, 3) canonical eyes.

    Returns:
        (...) in outer-eye distances; 0 closed.

    Raises:
        ValueError: `eyes` has another shape.

    Example:
        >>> eye_opening(np.zeros((12, 2))).item()
        0.0
    """
    _check_points(eyes, 12, "eyes")
    return (eyes[..., LOWER_LIDS, 1] - eyes[..., UPPER_LIDS, 1]).mean(-1)


def render_lips(points: Tensor, side: int) -> Tensor:
    """Render placed lips: outer contour, inner contour and the opening between the lips, anti-aliased.

    Args:
        points: (B, 20, 2) in picture units.
        side: Side of the picture in pixels.

    Returns:
        (B, 3, side, side) in [0, 1].

    Example:
        >>> render_lips(torch.rand(1, 20, 2), 32).shape
        torch.Size([1, 3, 32, 32])
    """
    pixels = _pixel_centres(side, points)
    width = max(1.5, LINE_SHARE * side)
    outer, _ = _contour(points[:, OUTER], pixels)
    inner, inside = _contour(points[:, INNER], pixels)
    in_pixels = side / 2
    lines = [(width / 2 + 0.5 - distance * in_pixels).clamp(0, 1) for distance in (outer, inner)]
    signed = torch.where(inside, inner, -inner)
    opening = (0.5 + signed * in_pixels).clamp(0, 1)
    return torch.stack([*lines, opening], dim=1)


def mouth_region(points: Tensor, side: int, margin: float = 0.5) -> Tensor:
    """A map that is 1 in the box around the lips and falls linearly to 0 at `margin` mouth widths from it.

    Args:
        points: (B, 20, 2) in picture units.
        side: Side of the map in pixels.
        margin: Reach outside the box, in widths of the mouth.

    Returns:
        (B, 1, side, side) in [0, 1].

    Example:
        >>> mouth_region(torch.rand(1, 20, 2), 32).shape
        torch.Size([1, 1, 32, 32])
    """
    low, high = points.amin(dim=1), points.amax(dim=1)
    width = (high - low)[:, 0].clamp_min(1e-3)
    line = (2 * torch.arange(side, device=points.device, dtype=points.dtype) + 1) / side - 1
    outside_x, outside_y = (
        torch.maximum(low[:, axis, None] - line, line - high[:, axis, None]).clamp_min(0) for axis in (0, 1)
    )
    distance = torch.sqrt(outside_x[:, None, :].square() + outside_y[:, :, None].square())
    return (1 - distance / (margin * width)[:, None, None]).clamp(0, 1).unsqueeze(1)


def _functions(values: Any) -> Any:
    """The module whose functions take the values: torch or NumPy."""
    return torch if isinstance(values, Tensor) else np


def _check_points(points: Tensor | np.ndarray, count: int, name: str) -> None:
    if points.ndim < 2 or points.shape[-2] != count or points.shape[-1] not in (2, 3):
        raise ValueError(f"{name} of shape {tuple(points.shape)}: expected (..., {count}, 2), or 3 in space")


def _pixel_centres(side: int, like: Tensor) -> Tensor:
    line = (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


def _contour(corners: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each pixel to a closed polygon, and a mask of the pixels inside by the even-odd rule.

    Segments are processed one by one, so that memory stays at a few pictures for every polygon.
    """
    distance = torch.full((len(corners), *pixels.shape[:2]), torch.inf, dtype=corners.dtype, device=corners.device)
    inside = torch.zeros_like(distance, dtype=torch.bool)
    for start, end in zip(corners.unbind(1), corners.roll(-1, 1).unbind(1), strict=True):
        a, b = start[:, None, None], end[:, None, None]
        edge, offset = b - a, pixels - a
        along = ((offset * edge).sum(-1) / edge.square().sum(-1).clamp_min(1e-12)).clamp(0, 1)
        distance = torch.minimum(distance, (offset - along.unsqueeze(-1) * edge).square().sum(-1))
        crosses = (a[..., 1] > pixels[..., 1]) != (b[..., 1] > pixels[..., 1])
        at_height = offset[..., 1] * edge[..., 0] - offset[..., 0] * edge[..., 1]
        inside ^= crosses & ((at_height > 0) == (edge[..., 1] > 0))
    return distance.sqrt(), inside
