"""Eyes and lips of a frame, enlarged below it, each in a box of its own colour."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from s2tf.faces.crop import FaceBox
from s2tf.faces.lips import EYES, LEFT_EYE_OUTER, LIPS, RIGHT_EYE_OUTER
from s2tf.figures.sheet import BACKGROUND

ASPECT = 2
"""Width of a region as a multiple of its height."""
EYES_WIDTH, LIPS_WIDTH = 1.6, 1.1
"""Widths of the regions in outer-eye distances: both eyes with the brows, a mouth wide open."""
ORANGE, RED = (255, 140, 0), (225, 25, 25)
LINE = 2
GAP = 2
"""Gap between a frame and its regions: less than between the frames of a sheet."""
WIDE = 1.25
"""Aspect ratio of a frame's place above which the regions stand side by side; below it they are stacked."""

CROP_EYES, CROP_LIPS, CROP_EYE_DISTANCE = np.array([0.5, 0.43]), np.array([0.5, 0.67]), 0.36
"""Centres and outer-eye distance in a face crop by the default `CropRule`, as shares of its sides: means of five
synthetic speakers."""


@dataclass(frozen=True)
class Regions:
    """Parts of a picture that are enlarged, in its pixels; they may reach over its border."""

    eyes: FaceBox
    lips: FaceBox

    def scaled(self, size: tuple[int, int], other: tuple[int, int]) -> "Regions":
        """Return the same parts of a picture of another (height, width)."""
        across, down = other[1] / size[1], other[0] / size[0]
        return Regions(
            *(
                FaceBox(box.left * across, box.top * down, box.right * across, box.bottom * down)
                for box in (self.eyes, self.lips)
            )
        )


def eye_distance(landmarks: np.ndarray) -> np.ndarray:
    """Return the (...) outer-eye distances of landmarks (..., 68, 2), in their units."""
    line = landmarks[..., LEFT_EYE_OUTER, :] - landmarks[..., RIGHT_EYE_OUTER, :]
    return np.hypot(line[..., 0], line[..., 1])


def face_regions(landmarks: np.ndarray, distance: float) -> Regions:
    """Return regions around the eyes and lips of a face.

    Args:
        landmarks: (68, 2) in pixels, iBUG order.
        distance: Outer-eye distance in pixels; with one distance for a clip, all its frames are enlarged alike.
    """
    eyes, lips = landmarks[EYES].mean(axis=0), landmarks[LIPS].mean(axis=0)
    return _regions(eyes, lips, distance)


def crop_regions(size: tuple[int, int]) -> Regions:
    """Return regions at fixed shares of a face crop of (height, width), for crops without landmarks."""
    sides = np.array([size[1], size[0]])
    return _regions(CROP_EYES * sides, CROP_LIPS * sides, CROP_EYE_DISTANCE * size[1])


def zoom_size(height: int, width: int) -> tuple[int, int]:
    """Return (height, width) of the picture that `draw_zoom` draws with regions."""
    below, _ = _region_size(height, width)
    rows = 1 if width > WIDE * height else 2
    return height + rows * (GAP + below), width


def draw_zoom(frame: np.ndarray, regions: Regions | None, height: int, width: int) -> np.ndarray:
    """Draw a frame with its regions in boxes, and below it the regions enlarged.

    Args:
        frame: (H, W, 3) uint8 RGB.
        regions: Regions of its eyes and lips; None for the frame alone.
        height: The frame's height in the result.
        width: Width of the place for the frame, which stands in its middle.

    Returns:
        (*`zoom_size(height, width)`, 3) uint8; (height, width, 3) without regions.
    """
    size = (height, width) if regions is None else zoom_size(height, width)
    result = Image.new("RGB", size[::-1], BACKGROUND)
    scale = height / frame.shape[0]
    picture = _resized(frame, (height, round(frame.shape[1] * scale)))
    for number, (box, colour) in enumerate(_coloured(regions)):
        corners = [round(side * scale) for side in (box.left, box.top, box.right, box.bottom)]
        ImageDraw.Draw(picture).rectangle(corners, outline=colour, width=LINE)
        part = _enlarged(frame, box, _region_size(height, width), colour)
        result.paste(part, _region_corner(number, height, width))
    result.paste(picture, ((width - picture.width) // 2, 0))
    return np.asarray(result)


def _coloured(regions: Regions | None) -> list[tuple[FaceBox, tuple[int, int, int]]]:
    return [] if regions is None else [(regions.eyes, ORANGE), (regions.lips, RED)]


def _regions(eyes: np.ndarray, lips: np.ndarray, distance: float) -> Regions:
    return Regions(_box(eyes, EYES_WIDTH * distance), _box(lips, LIPS_WIDTH * distance))


def _box(centre: np.ndarray, width: float) -> FaceBox:
    x, y = centre.tolist()
    return FaceBox(x - width / 2, y - width / ASPECT / 2, x + width / 2, y + width / ASPECT / 2)


def _region_size(height: int, width: int) -> tuple[int, int]:
    """Return (height, width) of an enlarged region."""
    across = (width - GAP) // 2 if width > WIDE * height else width
    return round(across / ASPECT), across


def _region_corner(number: int, height: int, width: int) -> tuple[int, int]:
    """Return (x, y) of the upper left corner of the first or second region below a frame."""
    tall, wide = _region_size(height, width)
    if width > WIDE * height:
        return number * (wide + GAP), height + GAP
    return 0, height + GAP + number * (tall + GAP)


def _enlarged(frame: np.ndarray, box: FaceBox, size: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    """Return a part of a frame at (height, width), framed; beyond the border the outermost pixels are repeated."""
    rows = np.arange(round(box.top), max(round(box.bottom), round(box.top) + 1)).clip(0, frame.shape[0] - 1)
    columns = np.arange(round(box.left), max(round(box.right), round(box.left) + 1)).clip(0, frame.shape[1] - 1)
    part = _resized(frame[np.ix_(rows, columns)], size)
    ImageDraw.Draw(part).rectangle((0, 0, size[1] - 1, size[0] - 1), outline=colour, width=LINE)
    return part


def _resized(picture: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture)).resize(size[::-1], Image.Resampling.BICUBIC)
