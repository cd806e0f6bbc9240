"""Landmarks of the speaker's face in every frame: detect it once, follow it, fill short gaps."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s2tf.faces.backends import open_detector, open_landmarks
from s2tf.faces.crop import LANDMARKS, FaceBox, box_of, choose_face, fill_gaps

BLOCK = 32
"""Frames that `follow_face` reads at a time."""
OVERLAP = 4
"""Number of frames that a block shares with the next. After them, a finder that starts anew differs from one that
continued by a thousandth of the outer-eye distance (measured on two recordings), a seventh of a face's motion between
two frames."""


class FaceError(ValueError):
    """Error for a clip without a usable face.

    Args:
        step: The step that failed: `face` or `landmarks`.
        reason: The reason.
    """

    def __init__(self, step: str, reason: str):
        super().__init__(reason)
        self.step = step
        self.reason = reason

    def __reduce__(self) -> tuple:
        return FaceError, (self.step, self.reason)


@dataclass(frozen=True)
class FaceSettings:
    """Settings of the search for faces.

    Args:
        detector: `dlib` (the paper's), `dlib-cnn` or `mediapipe`.
        second_chance: Detector to use if the first finds nothing in any of the frames; empty for none.
        landmarks: `mediapipe`, `face-alignment`, or `dlib`, which is not for commercial use.
        look_at: Indices of the frames that are searched, in this order, until one has a face; the paper searches only
            the first, which fails on clips that fade in from black.
        max_gap: Longest run of frames without landmarks that is interpolated (6 frames are a quarter of a second).
        max_missing: Largest share of frames without landmarks.
    """

    detector: str = "dlib"
    second_chance: str = "mediapipe"
    landmarks: str = "mediapipe"
    look_at: tuple[int, ...] = (0, 5, 12, 25, 50)
    max_gap: int = 6
    max_missing: float = 0.2

    def open(self) -> None:
        """Loads all chosen backends, so that a missing one is an error before the first recording is read.

        Raises:
            ImportError: A backend's package is not installed.
            FileNotFoundError: A backend's weights are missing.
            ValueError: A name is unknown.
        """
        open_landmarks(self.landmarks)
        open_detector(self.detector)
        if self.second_chance:
            open_detector(self.second_chance)


@dataclass(frozen=True)
class FoundFace:
    """The first sight of the speaker's face."""

    box: FaceBox
    frame: int
    faces: int
    """Number of faces in that frame."""
    detector: str


@dataclass(frozen=True)
class TrackedFace:
    """The landmarks of one face through a clip."""

    landmarks: np.ndarray
    """(stop - start, 68, 2) float32 in pixels, iBUG order, all finite, for frames `start` to `stop` - 1."""
    mesh: np.ndarray | None
    """(stop - start, 478, 3) float32, x and y in pixels; None where the backend gives none."""
    start: int
    """First frame with the face, which is not 0 if the clip fades in."""
    stop: int
    """One past the last frame with the face."""
    found: FoundFace
    filled: int
    """Frames whose landmarks were filled from their neighbours."""


def find_face(frames: np.ndarray, settings: FaceSettings, point: tuple[float, float] | None = None) -> FoundFace:
    """Finds the speaker's face: the largest, or the one nearest to `point`, in the first frame that has a face.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        settings: The detectors, and the frames that they search.
        point: Position (x, y) of the speaker in pixels, if the data set has it.

    Raises:
        FaceError: There is no face.
    """
    looked = [index for index in settings.look_at if index < len(frames)]
    names = [settings.detector]
    if settings.second_chance and settings.second_chance != settings.detector:
        names.append(settings.second_chance)
    for name in names:
        detector = open_detector(name)
        for index in looked:
            faces = detector.detect(frames[index])
            if faces:
                return FoundFace(choose_face(faces, point), index, len(faces), name)
    raise FaceError("face", f"no face found by {' or '.join(names)} in frames {', '.join(map(str, looked))}")


def track_face(frames: np.ndarray, settings: FaceSettings, point: tuple[float, float] | None = None) -> TrackedFace:
    """The landmarks of the speaker's face in every frame from the first to the last in which it is seen.

    Args:
        frames: (T, H, W, 3) uint8 RGB; T = 1 for a portrait.
        settings: Settings of the search.
        point: Position (x, y) of the speaker in pixels, if the data set has it.

    Raises:
        FaceError: There is no face, or landmarks are missing in too many frames or for too long.
    """
    found = find_face(frames, settings, point)
    given = open_landmarks(settings.landmarks).landmarks(frames, found.box, found.frame)
    raw = given.points
    seen = np.flatnonzero(~np.isnan(raw).any(axis=(1, 2)))
    missing = len(raw) - len(seen)
    if not len(seen) or missing > settings.max_missing * len(frames):
        raise FaceError("landmarks", f"{settings.landmarks} found none in {missing} of {len(frames)} frames")
    start, stop = int(seen[0]), int(seen[-1]) + 1
    landmarks = fill_gaps(raw[start:stop], settings.max_gap)
    left = int(np.isnan(landmarks).any(axis=(1, 2)).sum())
    if left:
        raise FaceError(
            "landmarks",
            f"{settings.landmarks} lost the face for more than {settings.max_gap} consecutive frames ({left})",
        )
    mesh = None if given.mesh is None else fill_gaps(given.mesh[start:stop], settings.max_gap)
    return TrackedFace(landmarks, mesh, start, stop, found, stop - start - len(seen))


def follow_face(frames: Iterable[np.ndarray], settings: FaceSettings) -> np.ndarray:
    """The landmarks of the speaker's face in every frame of a video of any length, `BLOCK` frames at a time.

    Unlike `track_face` it refuses nothing and fills nothing: a frame whose face is not seen stays empty, and a face
    that was lost for a whole block is searched for again.

    Args:
        frames: (H, W, 3) uint8 RGB each.
        settings: Settings of the search; `max_gap` and `max_missing` have no effect.

    Returns:
        (T, 68, 2) float32 in pixels, iBUG order; NaN in the frames where the face was not seen.
    """
    follower = FaceFollower(settings)
    for frame in frames:
        follower.add(frame)
    return follower.finish()


class FaceFollower:
    """`follow_face` for frames that come one by one."""

    def __init__(self, settings: FaceSettings) -> None:
        self.settings = settings
        self._parts = [np.empty((0, LANDMARKS, 2), np.float32)]
        self._box: FaceBox | None = None
        self._before: list[np.ndarray] = []
        self._block: list[np.ndarray] = []

    def add(self, frame: np.ndarray) -> None:
        """Takes the next frame, (H, W, 3) uint8 RGB."""
        self._block.append(frame)
        if len(self._block) == BLOCK:
            self._read()

    def finish(self) -> np.ndarray:
        """The landmarks of all frames, see `follow_face`."""
        if self._block:
            self._read()
        return np.concatenate(self._parts)

    def _read(self) -> None:
        frames = np.stack([*self._before, *self._block])
        points = _landmarks_in(frames, self._box, self.settings)[len(self._before) :]
        known = points[np.isfinite(points).all(axis=(1, 2))]
        self._box = box_of(known[-1]) if len(known) else None
        self._before, self._block = self._block[-OVERLAP:], []
        self._parts.append(points)


def _landmarks_in(frames: np.ndarray, box: FaceBox | None, settings: FaceSettings) -> np.ndarray:
    """Landmarks (T, 68, 2) of the face near `box`, or of a new search where it is not there; NaN without a face."""
    finder = open_landmarks(settings.landmarks)
    if box is not None:
        points = finder.landmarks(frames, box).points
        if np.isfinite(points).any():
            return points
    try:
        found = find_face(frames, settings)
    except FaceError:
        return np.full((len(frames), LANDMARKS, 2), np.nan, np.float32)
    return finder.landmarks(frames, found.box, found.frame).points
