"""Faces freed of the head's motion in space: yaw and pitch go into the placement, which has six values then.

`s2tf.faces.lips` takes position, size and roll out of a face, in the plane. Under a head that turns, its lips still
change: by 0.05 outer-eye distances at a yaw of 20 degrees. Here the depth of the landmarks is known too: the head's
rotation is the one that turns the average head of `STABLE_HEAD` onto the face's stable points, by least squares
(Kabsch). Coordinates are picture units, x right, y down, and z away from the viewer.

A placement is (cx, cy, log scale, roll, yaw, pitch), and a point of the picture is x and y of

    R(roll, yaw, pitch) @ canonical * exp(log scale) + (cx, cy),    R = Rz(roll) Rx(pitch) Ry(yaw),

see `s2tf.nn.lips.head_rotation`. Yaw is positive to the picture's right, pitch downwards; both are 0 for an average
head that faces the viewer, so that a person's own build may add a constant. The scale is the distance between the outer
corners of the eyes in space. Perspective is left out.
"""

import numpy as np

from s2tf.faces.lips import EYES, LEFT_EYE_OUTER, LIPS, RIGHT_EYE_OUTER, SMALLEST_SCALE, STABLE, FacePose
from s2tf.nn.lips import head_rotation

STABLE_HEAD = np.array(
    [
        *((-0.500, 0.000, -0.357), (-0.209, 0.009, -0.423), (0.209, 0.009, -0.423), (0.500, 0.000, -0.357)),
        *((0.000, -0.023, -0.620), (0.000, 0.143, -0.736), (0.000, 0.259, -0.815), (0.000, 0.352, -0.853)),
    ]
)
"""The stable points of an average head that faces the viewer, in outer-eye distances."""


def canonical_head(points: np.ndarray) -> FacePose:
    """Transforms lips and eyes into the frame of their head.

    Args:
        points: (..., 68, 3) iBUG points in picture units, with their depth.

    Returns:
        Canonical lips (..., 20, 3), eyes (..., 12, 3) and placement (..., 6), in the points' floating type.

    Raises:
        ValueError: The points have another shape, values are not finite, or the outer eye corners coincide.
    """
    points = np.asarray(points)
    if points.shape[-2:] != (68, 3):
        raise ValueError(f"landmarks have shape {points.shape}, expected (..., 68, 3)")
    if not np.isfinite(points).all():
        raise ValueError("landmarks hold values that are not finite")
    placement = head_placement(points)
    return FacePose(
        lips=to_head(points[..., LIPS, :], points, placement),
        eyes=to_head(points[..., EYES, :], points, placement),
        placement=placement,
    )


def head_placement(points: np.ndarray) -> np.ndarray:
    """The placement (..., 6) of heads with the iBUG points (..., 68, 3).

    Raises:
        ValueError: The outer eye corners coincide.
    """
    eye_line = points[..., LEFT_EYE_OUTER, :] - points[..., RIGHT_EYE_OUTER, :]
    scale = np.sqrt(np.square(eye_line).sum(-1))
    if scale.size and scale.min() < SMALLEST_SCALE:
        raise ValueError(
            f"landmarks have no frame: the outer eye corners (points 36 and 45) are {scale.min():.3g} picture units "
            f"apart, expected at least {SMALLEST_SCALE} (are they in picture units, -1 to 1?)"
        )
    # The rotation of least squares between the average head and the stable points, which is no reflection.
    stable = points[..., STABLE, :]
    centre = stable.mean(axis=-2, keepdims=True)
    average = (STABLE_HEAD - STABLE_HEAD.mean(axis=0)).astype(points.dtype)
    u, _, vt = np.linalg.svd(np.swapaxes(stable - centre, -1, -2) @ average)
    handed = np.ones_like(u[..., 0])
    handed[..., 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * handed[..., None, :]) @ vt
    # Its angles.
    roll = np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    yaw = np.arctan2(rotation[..., 2, 0], rotation[..., 2, 2])
    pitch = np.arcsin(np.clip(rotation[..., 2, 1], -1, 1))
    return np.stack([centre[..., 0, 0], centre[..., 0, 1], np.log(scale), roll, yaw, pitch], axis=-1)


def to_head(points: np.ndarray, landmarks: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """Transforms points of a face into the frame of its head.

    Args:
        points: (..., N, 3) in picture units.
        landmarks: (..., 68, 3) of the same face; the depth counts from that of their stable points.
        placement: (..., 6) of `head_placement`.

    Returns:
        (..., N, 3) in outer-eye distances.
    """
    centred = points - landmarks[..., STABLE, :].mean(axis=-2, keepdims=True)
    return centred @ head_rotation(placement) / np.exp(placement[..., 2])[..., None, None]
