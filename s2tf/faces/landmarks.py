"""Faces and landmarks in frames, as every detector and landmark finder gives them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from s2tf.faces.crop import FaceBox


class FaceDetector(Protocol):
    """A detector of faces in one picture."""

    def detect(self, frame: np.ndarray) -> list[FaceBox]:
        """All faces of a picture (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of one face in every frame of a clip."""

    points: np.ndarray
    """(T, 68, 2) float32 in pixels, iBUG order; NaN in the frames where the face was not found."""
    mesh: np.ndarray | None = None
    """(T, 478, 3) float32 of MediaPipe's face mesh: x and y in pixels, depth in the same scale, smaller is nearer; NaN
    in the same frames. None where the backend has no mesh."""


class LandmarkFinder(Protocol):
    """A finder of the landmarks of one face through a clip."""

    def landmarks(self, frames: np.ndarray, box: FaceBox, start: int = 0) -> Landmarks:
        """Follows the face that is at `box` in frame `start`, to both ends of the clip.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            box: Box of the face in frame `start`.
            start: Index of that frame.
        """
