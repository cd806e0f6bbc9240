"""Smooth curves and bands between them, as points."""

import numpy as np


def spline(points: np.ndarray, steps: int) -> np.ndarray:
    """Open Catmull-Rom curve through points (..., N, D), `steps` pieces between two: (..., steps (N - 1) + 1, D)."""
    ends = (2 * points[..., :1, :] - points[..., 1:2, :], 2 * points[..., -1:, :] - points[..., -2:-1, :])
    knots = np.concatenate([ends[0], points, ends[1]], axis=-2)
    # One weighted sum of four neighbours for all pieces at once.
    t = np.arange(steps) / steps
    weights = 0.5 * np.stack(
        [t * (t * (2 - t) - 1), 2 + t * t * (3 * t - 5), t * (1 + t * (4 - 3 * t)), t * t * (t - 1)]
    )
    neighbours = np.stack([knots[..., k : k + points.shape[-2] - 1, :] for k in range(4)], axis=-2)
    curve = weights.T @ neighbours
    flat = curve.reshape(*points.shape[:-2], -1, points.shape[-1])
    return np.concatenate([flat, points[..., -1:, :]], axis=-2)


def band(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The outline of the area between two curves (..., N, D) that run in the same direction, (..., 2 N, D)."""
    return np.concatenate([first, second[..., ::-1, :]], axis=-2)


def between(first: np.ndarray, second: np.ndarray, start: float, end: float) -> np.ndarray:
    """The outline of the part from `start` to `end`, in shares of the way from one curve to the other."""
    across = second - first
    return band(first + start * across, first + end * across)


def raised(points: np.ndarray, depth: float) -> np.ndarray:
    """Points (N, 2) of the plane at one depth z, (N, 3)."""
    return np.concatenate([points, np.full((len(points), 1), depth)], axis=1)


def clamp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values within limits; several times faster than `np.clip` on the small arrays here."""
    return np.minimum(np.maximum(values, low), high)
