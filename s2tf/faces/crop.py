"""Boxes and landmarks of faces in pixels, and the one crop rule of training and inference.

Pixel coordinates are continuous: 0 is the left (top) edge of the picture, W (H) its right (bottom) edge, and the
centre of the first pixel is at 0.5. Landmarks therefore scale with the picture by a plain factor.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np

LANDMARKS = 68


@dataclass(frozen=True)
class FaceBox:
    """A face in pixels, left < right, top < bottom; it may reach over the picture's border."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True)
class SquareBox:
    """A square crop in whole pixels of the original picture; it may reach over the border."""

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class CropRule:
    """The rule that turns a clip's landmarks into its square crop; it is stored in every sample and every checkpoint.

    With the defaults the landmarks (brows to chin) fill about 57 % of the picture's side, as in VoxCeleb's crops.

    Args:
        scale: Side of the crop as a multiple of the larger side of the landmarks' box (median over the clip).
        shift_y: Shift of the crop downwards as a multiple of the same side; negative moves it up, to show the forehead
            and hair.
        cover: Least side of the crop as a multiple of the box that holds the landmarks of (nearly) all frames, so that
            a moving head stays inside the one crop of its clip.
        size: Side of the stored picture in pixels.
    """

    scale: float = 1.75
    shift_y: float = -0.1
    cover: float = 1.1
    size: int = 256

    def __post_init__(self) -> None:
        if self.scale <= 0 or self.cover < 0 or not -1 <= self.shift_y <= 1:
            raise ValueError(f"crop rule {self}: expected scale > 0, cover >= 0, -1 <= shift_y <= 1")
        if self.size < 16 or self.size % 2:
            raise ValueError(f"crop rule: size {self.size} must be even and at least 16 pixels")

    def to_json(self) -> dict[str, Any]:
        """The rule as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CropRule":
        """Reads a rule from an object of `to_json`.

        Raises:
            ValueError: A number is missing, unknown or of the wrong type.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            raise ValueError(f"crop rule: expected the keys {sorted(names)}, got {data!r}")
        for name, value in data.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"crop rule: {name} must be a number, got {value!r}")
        return cls(**{**data, "size": int(data["size"])})


def square_box(landmarks: np.ndarray, rule: CropRule) -> SquareBox:
    """The one square crop of a clip or of a picture.

    Centre and size come from the medians of the frames' landmark boxes, so that a few bad frames do not move it.

    Args:
        landmarks: (T, N, 2) or (N, 2) in pixels; N = 2 for the two corners of a face box.
        rule: The crop rule.

    Raises:
        ValueError: A landmark is not finite.
    """
    points = np.asarray(landmarks, np.float64)
    points = points[None] if points.ndim == 2 else points
    if points.size == 0 or not np.isfinite(points).all():
        raise ValueError("a crop needs landmarks in every frame, and all of them finite")
    low, high = points.min(axis=1), points.max(axis=1)
    face = float(np.median((high - low).max(axis=1)))
    first, last = np.percentile(low, 5, axis=0), np.percentile(high, 95, axis=0)
    side = max(2, round(max(rule.scale * face, rule.cover * float((last - first).max()))))
    # The middle of the head's positions keeps a moving head inside; for a still head it equals the median centre.
    centre = (first + last) / 2 + np.array([0.0, rule.shift_y * face])
    x, y = np.round(centre - side / 2).astype(int).tolist()
    return SquareBox(x, y, side)


def crop(frames: np.ndarray, box: SquareBox, size: int) -> np.ndarray:
    """Cuts the square out of every frame and scales it; beyond the border the outermost pixels are repeated.

    Args:
        frames: (T, H, W, 3) or (H, W, 3) uint8.
        box: The square.
        size: Side of the result in pixels.

    Returns:
        (T, size, size, 3) or (size, size, 3) uint8.
    """
    if frames.ndim == 3:
        return _crop_one(frames, box, size)
    result = np.empty((len(frames), size, size, frames.shape[3]), np.uint8)
    for index, frame in enumerate(frames):
        result[index] = _crop_one(frame, box, size)
    return result


def _crop_one(frame: np.ndarray, box: SquareBox, size: int) -> np.ndarray:
    height, width = frame.shape[:2]
    rows = np.arange(box.y, box.y + box.side)
    columns = np.arange(box.x, box.x + box.side)
    inside = box.x >= 0 and box.y >= 0 and box.x + box.side <= width and box.y + box.side <= height
    if inside:
        cut = frame[box.y : box.y + box.side, box.x : box.x + box.side]
    else:
        cut = frame[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None]]
    return resize(cut, size)


def resize(image: np.ndarray, size: int, out: np.ndarray | None = None) -> np.ndarray:
    """Scales a square picture (S, S, 3) uint8: area averages to shrink it, cubic interpolation to enlarge it.

    Args:
        image: The picture.
        size: Side of the result.
        out: Contiguous array for the result; without it, a new array, or `image` itself where it has this size.
    """
    image = np.ascontiguousarray(image)
    if image.shape[0] == size and image.shape[1] == size:
        if out is None:
            return image
        out[...] = image
        return out
    method = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), dst=out, interpolation=method)


def to_crop(landmarks: np.ndarray, box: SquareBox, size: int) -> np.ndarray:
    """Landmarks (..., 2) in pixels of the crop scaled to `size`, from those in pixels of the original picture."""
    return ((landmarks - np.array([box.x, box.y])) * (size / box.side)).astype(np.float32)


def square_around(face: FaceBox, scale: float) -> SquareBox:
    """The square around the middle of a face whose side is `scale` times the face's."""
    side = max(16, round(scale * max(face.width, face.height)))
    x, y = face.centre
    return SquareBox(round(x - side / 2), round(y - side / 2), side)


def choose_face(faces: Sequence[FaceBox], point: tuple[float, float] | None = None) -> FaceBox:
    """Chooses the speaker among several faces: the nearest to `point` (x, y in pixels) if given, else the largest.

    Raises:
        ValueError: There is no face.
    """
    if not faces:
        raise ValueError("no face to choose from")
    if point is None:
        return max(faces, key=lambda face: face.width * face.height)
    return min(faces, key=lambda face: np.hypot(face.centre[0] - point[0], face.centre[1] - point[1]))


def box_of(landmarks: np.ndarray) -> FaceBox:
    """The box around landmarks (N, 2)."""
    left, top = landmarks.min(axis=0).tolist()
    right, bottom = landmarks.max(axis=0).tolist()
    return FaceBox(left, top, right, bottom)


def fill_gaps(landmarks: np.ndarray, max_gap: int) -> np.ndarray:
    """Fills frames without landmarks from their neighbours.

    Short gaps are interpolated linearly in time; short gaps at the ends repeat the nearest frame.

    Args:
        landmarks: (T, N, 2), NaN in the frames without landmarks.
        max_gap: The longest gap, in frames, that is filled; longer ones stay NaN.

    Returns:
        (T, N, 2) float32.
    """
    missing = np.isnan(landmarks).any(axis=(1, 2))
    result = landmarks.astype(np.float32)
    known = np.flatnonzero(~missing)
    if not len(known) or not missing.any():
        return result
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    flat = result.reshape(len(result), -1)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin > max_gap:
            continue
        for column in range(flat.shape[1]):
            flat[begin:end, column] = np.interp(np.arange(begin, end), known, flat[known, column])
    return result
