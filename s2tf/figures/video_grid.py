"""Several videos beside each other in one picture, each under its name."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from s2tf.figures.sheet import BACKGROUND, GAP, INK, MARGIN

ROW = 3
"""So many videos or fewer stand in one row, more in as near a square as can be."""
DIMMED = 0.35
"""Share of its light that a video keeps when it has ended."""
ENDED = "ended"
SMALLEST_TEXT = 12
"""Pixels; text grows with the videos."""
TALLEST = 512
"""Height of the videos in pixels is that of the tallest, but no more than this."""


class VideoGrid:
    """Draws frames of several videos at one height, with their aspect kept, always in the same places.

    Args:
        names: One line over each video, cut where it is wider than the video's place.
        sizes: (height, width) of each video.

    Attributes:
        size: (height, width) of the picture, both even, as a video needs them.
    """

    def __init__(self, names: Sequence[str], sizes: Sequence[tuple[int, int]]):
        self.height = min(TALLEST, max(height for height, _ in sizes))
        self.width = max(self._scaled_width(size) for size in sizes)
        self.columns = len(names) if len(names) <= ROW else math.ceil(math.sqrt(len(names)))
        text = max(SMALLEST_TEXT, self.height // 20)
        self._font = ImageFont.load_default(size=text)
        self._caption = round(1.8 * text)
        rows = -(-len(names) // self.columns)
        height = 2 * MARGIN + rows * (self._caption + self.height + GAP) - GAP
        width = 2 * MARGIN + self.columns * (self.width + GAP) - GAP
        self.size = (height + height % 2, width + width % 2)
        canvas = Image.new("RGB", self.size[::-1], BACKGROUND)
        for number, name in enumerate(names):
            x, y = self._corner(number)
            middle = (x + self.width / 2, y - self._caption / 2)
            ImageDraw.Draw(canvas).text(middle, self._fitted(name), fill=INK, font=self._font, anchor="mm")
        self._canvas = np.asarray(canvas)

    def draw(self, frames: Sequence[np.ndarray], ended: Sequence[bool]) -> np.ndarray:
        """One picture of the grid.

        Args:
            frames: (H, W, 3) uint8 RGB of each video.
            ended: Whether the video has ended: its frame is dimmed and says so.

        Returns:
            (*size, 3) uint8 RGB.
        """
        result = self._canvas.copy()
        for number, (frame, over) in enumerate(zip(frames, ended, strict=True)):
            x, y = self._corner(number)
            width = self._scaled_width(frame.shape[:2])
            picture = _scaled(frame, self.height, width)
            x += (self.width - width) // 2
            result[y : y + self.height, x : x + width] = _marked(picture) if over else picture
        return result

    def _scaled_width(self, size: tuple[int, ...]) -> int:
        return max(1, round(size[1] * self.height / size[0]))

    def _corner(self, number: int) -> tuple[int, int]:
        """(x, y) of the upper left corner of a video's place, below its name."""
        row, column = divmod(number, self.columns)
        return MARGIN + column * (self.width + GAP), MARGIN + self._caption + row * (self._caption + self.height + GAP)

    def _fitted(self, text: str) -> str:
        """As much of a text as fits over a video, with dots where some is left out."""
        if self._font.getlength(text) <= self.width:
            return text
        while text and self._font.getlength(f"{text}...") > self.width:
            text = text[:-1]
        return f"{text}..."


def _scaled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    method = cv2.INTER_AREA if height < frame.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(frame, (width, height), interpolation=method)


def _marked(picture: np.ndarray) -> np.ndarray:
    """A picture, dimmed, with `ENDED` across its middle."""
    dimmed = Image.fromarray((picture * DIMMED).astype(np.uint8))
    font = ImageFont.load_default(size=max(SMALLEST_TEXT, picture.shape[0] // 12))
    middle = (dimmed.width / 2, dimmed.height / 2)
    ImageDraw.Draw(dimmed).text(middle, ENDED, fill=BACKGROUND, font=font, anchor="mm")
    return np.asarray(dimmed)
