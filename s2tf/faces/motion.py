"""Motion of the lips, eyes and head of a face, read from landmarks or off pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from s2tf.faces.backends import open_landmarks
from s2tf.faces.crop import FaceBox
from s2tf.faces.dlib_networks import PACKAGE as DLIB_FILES
from s2tf.faces.judges import Judges
from s2tf.faces.lips import canonical_face, has_frame, head_pose, to_picture_units
from s2tf.nn.lips import eye_opening, mouth_opening


@dataclass(frozen=True)
class FaceMotion:
    """The motion of a face in T frames; NaN where a frame's face could not be read."""

    lips: np.ndarray
    """(T, 20, 2) canonical lips."""
    mouth: np.ndarray
    """(T,) opening of the mouth in outer-eye distances."""
    eyes: np.ndarray
    """(T,) opening of the eyes in outer-eye distances."""
    pose: np.ndarray
    """(T, 6) `s2tf.faces.lips.head_pose`."""

    @property
    def known(self) -> np.ndarray:
        """(T,) bool: true where the frame could be read."""
        return np.isfinite(self.pose).all(axis=-1)

    @classmethod
    def of_landmarks(cls, landmarks: np.ndarray, size: int) -> "FaceMotion":
        """Compute the motion of landmarks (T, 68, 2) in pixels of pictures of side `size`; NaN without landmarks."""
        frames = len(landmarks)
        found = np.isfinite(landmarks).all(axis=(1, 2))
        points = to_picture_units(landmarks, size)
        found &= np.array([bool(known) and has_frame(face) for known, face in zip(found, points, strict=True)], bool)
        motion = cls(*(np.full((frames, *shape), np.nan) for shape in ((20, 2), (), (), (6,))))
        if found.any():
            face = canonical_face(points[found])
            motion.lips[found] = face.lips
            motion.mouth[found] = mouth_opening(face.lips)
            motion.eyes[found] = eye_opening(face.eyes)
            motion.pose[found] = head_pose(points[found])
        return motion


class MotionFinder(Protocol):
    """A reader of the motion of a face in frames."""

    @property
    def packages(self) -> Sequence[str]:
        """Packages that it uses besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> dict[str, Any]:
        """The reader's name and weights."""

    def read(self, frames: np.ndarray) -> FaceMotion:
        """The motion in frames (T, H, W, 3) uint8 that are cropped to the face."""


class JudgedMotion:
    """A `MotionFinder` of the judges of synthetic faces."""

    packages = ()

    def __init__(self, judges: Judges) -> None:
        self.judges = judges

    @property
    def protocol(self) -> dict[str, Any]:
        """The judges' weights."""
        weights = " ".join(self.judges.networks[name].fingerprint() for name in ("mouth", "pose"))
        return {"landmarks": "judges of synthetic faces", "weights": weights}

    def read(self, frames: np.ndarray) -> FaceMotion:
        """See `MotionFinder.read`."""
        judges = self.judges
        values = (judges.lips(frames), judges.opening(frames), judges.eye_opening(frames), judges.pose(frames))
        return FaceMotion(*(value.double().numpy() for value in values))


class DetectedMotion:
    """A `MotionFinder` with a landmark detector, for real faces.

    Args:
        name: The detector, see `s2tf.faces.backends.open_landmarks`.
    """

    def __init__(self, name: str = "mediapipe") -> None:
        self.name = name
        self.packages: Sequence[str] = (name, DLIB_FILES) if name == "dlib" else (name,)
        self.finder = open_landmarks(name)

    @property
    def protocol(self) -> dict[str, Any]:
        """The detector's name."""
        return {"landmarks": self.name}

    def landmarks(self, frames: np.ndarray) -> np.ndarray:
        """Landmarks (T, 68, 2) in pixels of frames as for `read`; NaN where no face was found."""
        size = frames.shape[1]
        return self.finder.landmarks(frames, FaceBox(0, 0, size, size)).points

    def read(self, frames: np.ndarray) -> FaceMotion:
        """See `MotionFinder.read`."""
        return FaceMotion.of_landmarks(self.landmarks(frames), frames.shape[1])
