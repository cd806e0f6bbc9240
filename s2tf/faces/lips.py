"""Canonical lips and eyes: their shape in the frame of the face, and the placement of that frame in the picture.

Coordinates are picture units: x right, y down, -1 the left or top edge of the picture, +1 the right or bottom edge.
Landmarks are the 68 points of iBUG in their order; the eyes are points 36 to 47, the lips 48 to 67.

The frame of a face depends only on its STABLE points, which speech does not move: the corners of the eyes (36, 39, 42,
45) and the bridge of the nose (27 to 30).

- scale: the distance between the outer corners of the eyes, |p45 - p36|.
- roll: the angle of the line from p36 to p45; 0 for a level face, positive clockwise on the screen (y is down).
- origin: the mean of the eight stable points.

A placement is (cx, cy, log scale, roll), and a point of the picture is

    point = R(roll) @ canonical * exp(log scale) + (cx, cy),    R(roll) = [[cos, -sin], [sin, cos]].

Canonical points are therefore in units of the outer-eye distance, with the mouth below the origin at positive y. A
translation, rotation or scaling of the whole face changes only its placement. `s2tf.nn.lips` places canonical points
in the picture, and has the openings of mouth and eyes.
"""

from dataclasses import dataclass

import numpy as np

from s2tf.nn.lips import rotate

EYES, LIPS = slice(36, 48), slice(48, 68)
STABLE = (36, 39, 42, 45, 27, 28, 29, 30)
NOSE_TIP = 30
POSE = ("centre x", "centre y", "log scale", "roll", "nose x", "nose y")
"""The values of `head_pose`."""
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 36, 45

SMALLEST_SCALE = 1e-3
"""Outer-eye distance in picture units below which a face has no frame: half a pixel at 1000 px."""


@dataclass(frozen=True)
class FacePose:
    """Lips and eyes in the frame of their face, and the placement of that frame in the picture."""

    lips: np.ndarray
    """(..., 20, 2) canonical lips, in units of the outer-eye distance."""
    eyes: np.ndarray
    """(..., 12, 2) canonical eyes, in the same unit."""
    placement: np.ndarray
    """(..., 4): centre x, centre y (picture units), log scale, roll (radians)."""


def to_picture_units(pixels: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Pixel coordinates as picture units.

    Pixel i covers [i, i + 1), so its centre is at i + 0.5: coordinate 0 is the edge, -1, and `size` the edge +1.

    Args:
        pixels: (..., 2) x and y.
        size: Side of the picture, or (height, width).

    Returns:
        (..., 2) in [-1, 1] inside the picture.
    """
    return np.asarray(pixels) * (2.0 / _extent(size)) - 1.0


def to_pixels(points: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """The inverse of `to_picture_units`: (..., 2) picture units to pixels of a picture of `size`."""
    return (np.asarray(points) + 1.0) * (_extent(size) / 2.0)


def has_frame(landmarks: np.ndarray) -> bool:
    """True if every face, (..., 68, 2) in picture units, is large enough to have a frame."""
    return bool((np.hypot(*_eye_line(landmarks)) >= SMALLEST_SCALE).all())


def canonical_face(landmarks: np.ndarray) -> FacePose:
    """Transforms lips and eyes into the frame of their face.

    Args:
        landmarks: (..., 68, 2) iBUG points in picture units.

    Returns:
        Canonical lips (..., 20, 2), eyes (..., 12, 2) and placement (..., 4), in the landmarks' floating type.

    Raises:
        ValueError: There are not 68 points, values are not finite, or the outer eye corners coincide.
    """
    landmarks = _checked(landmarks, (68, 2), "landmarks")
    eye_x, eye_y = _eye_line(landmarks)
    scale = np.hypot(eye_x, eye_y)
    if scale.size and scale.min() < SMALLEST_SCALE:
        raise ValueError(
            f"landmarks have no frame: the outer eye corners (points 36 and 45) are {scale.min():.3g} picture units "
            f"apart, expected at least {SMALLEST_SCALE} (are they in picture units, -1 to 1?)"
        )
    # Computed by coordinates, since NumPy is several times slower on a last axis of two entries.
    x, y = (landmarks[..., EYES.start : LIPS.stop, axis] for axis in (0, 1))
    centre_x, centre_y = (landmarks[..., STABLE, axis].mean(axis=-1) for axis in (0, 1))
    across, down = x - centre_x[..., None], y - centre_y[..., None]
    # R(-roll) / scale; the eye line is scale * (cos, sin) of the roll.
    cos, sin = ((side / (scale * scale))[..., None] for side in (eye_x, eye_y))
    points = np.stack([cos * across + sin * down, cos * down - sin * across], axis=-1)
    eyes, lips = points[..., : EYES.stop - EYES.start, :], points[..., EYES.stop - EYES.start :, :]
    placement = np.stack([centre_x, centre_y, np.log(scale), np.arctan2(eye_y, eye_x)], axis=-1)
    return FacePose(lips=lips, eyes=eyes, placement=placement)


def to_canonical(points: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """Transforms points of a face into the frame of that face.

    Args:
        points: (..., N, 2) in picture units.
        placement: (..., 4) centre x, centre y, log scale, roll.

    Returns:
        (..., N, 2) in units of the outer-eye distance; NaN where a point or the placement is NaN.
    """
    centred = np.asarray(points) - placement[..., None, :2]
    return rotate(centred, -placement[..., 3]) / np.exp(placement[..., 2])[..., None, None]


def head_pose(landmarks: np.ndarray) -> np.ndarray:
    """Place and turn of the head, as far as landmarks in the plane show them.

    Args:
        landmarks: (..., 68, 2) iBUG points in picture units.

    Returns:
        (..., 6): the placement (centre x, centre y, log scale, roll) and the tip of the nose (x, y) in the canonical
        frame, which follows yaw and pitch.
    """
    placement = canonical_face(landmarks).placement
    nose = to_canonical(np.asarray(landmarks)[..., NOSE_TIP : NOSE_TIP + 1, :], placement)
    return np.concatenate([placement, nose[..., 0, :]], axis=-1)


def _eye_line(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line from point 36 to point 45, x and y."""
    right, left = landmarks[..., RIGHT_EYE_OUTER, :], landmarks[..., LEFT_EYE_OUTER, :]
    return left[..., 0] - right[..., 0], left[..., 1] - right[..., 1]


def _checked(values: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape[-len(shape) :] != shape:
        raise ValueError(f"{name} have shape {values.shape}, expected (..., {', '.join(map(str, shape))})")
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} hold values that are not finite")
    return values


def _extent(size: int | tuple[int, int]) -> np.ndarray:
    height, width = size if isinstance(size, tuple) else (size, size)
    if height < 1 or width < 1:
        raise ValueError(f"size is {size}, expected a positive side or (height, width)")
    return np.array([width, height], dtype=np.float32)
