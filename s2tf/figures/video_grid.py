"""Several videos in one picture, each under its name."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from s2tf.figures.labels import Font, font_for
from s2tf.figures.sheet import BACKGROUND, GAP, INK, MARGIN

ROW = 3
"""Most videos that stand in one row; more are arranged nearly in a square."""
DIMMED = 0.35
"""Share of its brightness that a video keeps when it has ended."""
ENDED = "ended"
SMALLEST_TEXT = 12
"""Height of the text in pixels for small videos; it grows with the videos."""
TALLEST = 512
"""Largest height of the videos in pixels; below it, their height is that of the tallest."""


class VideoGrid:
    """Draws frames of several videos at one height, with their aspect ratio kept, always in the same places.

    Args:
        names: A line over each video, cut where it is wider than the video's place.
        sizes: (height, width) of each video.

    Attributes:
        size: (height, width) of the picture, both even, as a video needs them.
    """

    def __init__(self, names: Sequence[str], sizes: Sequence[tuple[int, int]]):
        self.height = min(TALLEST, max(height for height, _ in sizes))
        self.width = max(self._scaled_width(size) for size in sizes)
        self.columns = len(names) if len(names) <= ROW else math.ceil(math.sqrt(len(names)))
        text = max(SMALLEST_TEXT, self.height // 20)
        self._caption = round(1.8 * text)
        rows = -(-len(names) // self.columns)
        height = 2 * MARGIN + rows * (self._caption + self.height + GAP) - GAP
        width = 2 * MARGIN + self.columns * (self.width + GAP) - GAP
        self.size = (height + height % 2, width + width % 2)
        canvas = Image.new("RGB", self.size[::-1], BACKGROUND)
        for number, name in enumerate(names):
            x, y = self._corner(number)
            middle = (x + self.width / 2, y - self._caption / 2)
            shown, font = font_for(name, text)
            ImageDraw.Draw(canvas).text(middle, self._fitted(shown, font), fill=INK, font=font, anchor="mm")
        self._canvas = np.asarray(canvas)

    def draw(self, frames: Sequence[np.ndarray], ended: Sequence[bool]) -> np.ndarray:
        """Draw one picture of the grid.

        Args:
            frames: (H, W, 3) uint8 RGB of each video.
            ended: True for each video that has ended; its frame is dimmed and marked.

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
        """Return (x, y) of the upper left corner of a video's place, below its name."""
        row, column = divmod(number, self.columns)
        return MARGIN + column * (self.width + GAP), MARGIN + self._caption + row * (self._caption + self.height + GAP)

    def _fitted(self, text: str, font: Font) -> str:
        """Return the part of a text that fits over a video, with dots where it is cut."""
        if font.getlength(text) <= self.width:
            return text
        while text and font.getlength(f"{text}...") > self.width:
            text = text[:-1]
        return f"{text}..."


def _scaled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    method = cv2.INTER_AREA if height < frame.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(frame, (width, height), interpolation=method)


def _marked(picture: np.ndarray) -> np.ndarray:
    """Return a picture, dimmed, with `ENDED` across its middle."""
    dimmed = Image.fromarray((picture * DIMMED).astype(np.uint8))
    shown, font = font_for(ENDED, max(SMALLEST_TEXT, picture.shape[0] // 12))
    middle = (dimmed.width / 2, dimmed.height / 2)
    ImageDraw.Draw(dimmed).text(middle, shown, fill=BACKGROUND, font=font, anchor="mm")
    return np.asarray(dimmed)
