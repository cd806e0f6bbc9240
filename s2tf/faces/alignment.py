"""Aligned portraits: the most frontal pictures of a face, turned and scaled so that its eyes lie at fixed places.

The paper generates one portrait of a person from speech that tells neither the turn of the head nor the moment of a
blink. A random frame asks a network to average over both; the aligned one leaves the person.
"""

import cv2
import numpy as np

from s2tf.faces.crop import resize
from s2tf.faces.lips import canonical_face, has_frame, head_pose
from s2tf.nn.lips import eye_opening, mouth_opening

EYES = ((0.371, 0.415), (0.629, 0.415))
"""Centres (x, y) of the right and the left eye in an aligned portrait, as shares of its side: their mean places in
crops of the default rule, so that an aligned portrait is framed like the frames that a talking face is made of, but a
twentieth further apart, so that turning a picture rarely shows what lies beyond its border."""
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
CLOSED_EYES = 3.0
"""Weight of lids that are more closed than open eyes; a turn of the nose and an open mouth have weight 1."""
OPEN = 0.75
"""Quantile of the clip's lids that counts as open: wider eyes, as in surprise, are not better ones."""


def most_frontal(landmarks: np.ndarray) -> np.ndarray:
    """Order the pictures of a clip from the most frontal with open eyes and a closed mouth to the least.

    The turn is read from the nose: how far its tip lies from the middle between the eyes, across the face.

    Args:
        landmarks: (P, 68, 2) iBUG points in picture units (`to_picture_units`).

    Returns:
        Numbers of the pictures; those without a face's frame (outer eye corners that coincide, values that are not
        finite) are left out.
    """
    usable = np.array([number for number, points in enumerate(landmarks) if _has_eyes(points)], int)
    if not len(usable):
        return usable
    landmarks = np.asarray(landmarks)[usable]
    face = canonical_face(landmarks)
    # The origin of the canonical frame holds the bridge of the nose, which turns too: compare with the eyes alone.
    middle = face.eyes[..., (0, 9), 0].mean(axis=-1)
    turn = np.abs(head_pose(landmarks)[..., 4] - middle)
    opening = np.abs(mouth_opening(face.lips))
    lids = eye_opening(face.eyes)
    closed = np.clip(np.quantile(lids, OPEN) - lids, 0, None)
    return usable[np.argsort(turn + opening + CLOSED_EYES * closed, kind="stable")]


def _has_eyes(points: np.ndarray) -> bool:
    return bool(np.isfinite(points).all()) and has_frame(points) and not np.array_equal(*_eye_centres(points))


def _eye_centres(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centres (2,) of the right and the left eye."""
    return landmarks[RIGHT_EYE].mean(axis=0), landmarks[LEFT_EYE].mean(axis=0)


def eye_transform(landmarks: np.ndarray, size: int) -> np.ndarray:
    """The similarity that moves the eyes of a picture to `EYES`.

    Args:
        landmarks: (68, 2) iBUG points in pixels.
        size: Side of the picture and of the aligned one in pixels.

    Returns:
        (2, 3): continuous pixel coordinates of the picture to those of the aligned one.

    Raises:
        ValueError: The eyes coincide.

    Example:
        >>> points = np.zeros((68, 2))
        >>> points[RIGHT_EYE], points[LEFT_EYE] = np.array(EYES) * 100
        >>> eye_transform(points, 100).round(6).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    # A similarity of the plane is a factor and an addend of complex numbers.
    right, left = (complex(*centre.tolist()) for centre in _eye_centres(landmarks))
    if right == left:
        raise ValueError(f"landmarks of both eyes have the centre {right.real:g}, {right.imag:g}: expected two places")
    to_right, to_left = (complex(*place) * size for place in EYES)
    factor = (to_left - to_right) / (left - right)
    addend = to_right - factor * right
    return np.array([[factor.real, -factor.imag, addend.real], [factor.imag, factor.real, addend.imag]]) + 0.0


def align(picture: np.ndarray, landmarks: np.ndarray, size: int, out: np.ndarray | None = None) -> np.ndarray:
    """Turn, move and scale a picture so that its eyes lie at `EYES`; beyond the border its outermost pixels repeat.

    Args:
        picture: (S, S, 3) uint8.
        landmarks: (68, 2) iBUG points in pixels of the picture.
        size: Side of the result in pixels.
        out: Contiguous array for the result, or None for a new one.

    Returns:
        (size, size, 3) uint8.
    """
    side = len(picture)
    transform = eye_transform(landmarks, side)
    # OpenCV counts from the centre of the first pixel.
    transform[:, 2] += transform[:, :2] @ (0.5, 0.5) - 0.5
    turned = cv2.warpAffine(picture, transform, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return resize(turned, size, out)
