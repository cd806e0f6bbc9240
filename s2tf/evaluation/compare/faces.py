"""Faces of compared videos: their motion frame by frame, and the regions of eyes and lips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.errors import UserError
from s2tf.faces.lips import to_canonical, to_picture_units, to_pixels
from s2tf.faces.motion import DetectedMotion, FaceMotion, JudgedMotion, MotionFinder
from s2tf.faces.tracking import BLOCK, FaceSettings, follow_face
from s2tf.figures.zoom import Regions, crop_regions, eye_distance, face_regions
from s2tf.media.audio import FPS
from s2tf.media.notes import Note
from s2tf.media.video import VideoStream
from s2tf.nn.lips import place_lips

LANDMARKS = 68


@dataclass(frozen=True)
class Face:
    """The face of a video of T frames; NaN for frames in which it was not read.

    Picture units measure a square as wide as the frame's longer side, from its upper left corner. A frame
    that is not square is therefore not distorted.
    """

    points: np.ndarray
    """(T, P, 2) in picture units: 68 landmarks, or only the 20 of the lips, which the judges read."""
    motion: FaceMotion

    @property
    def has_landmarks(self) -> bool:
        """True if all 68 landmarks were read, not only the lips."""
        return self.points.shape[1] == LANDMARKS

    @property
    def missing(self) -> int:
        """Number of frames whose face was not read."""
        return int((~self.motion.known).sum())

    def travelled(self) -> np.ndarray:
        """Return the points (T, P, 2) as they move through the picture, including the head motion.

        Zero is the median place of the head and one the median outer-eye distance, so that clips of different framing
        have the same scale.
        """
        middle = self._median_pose()
        return (self.points - middle[:2]) / np.exp(middle[2])

    def expressed(self) -> np.ndarray:
        """Return the points (T, P, 2) in the coordinates of the face, without the head motion."""
        return to_canonical(self.points, self.motion.pose[:, :4])

    def curves(self) -> dict[str, np.ndarray]:
        """Return curves (T,): openings in outer-eye distances, and the head relative to its median over the clip."""
        middle = self._median_pose()
        moved = self.motion.pose - middle
        scale = np.exp(middle[2])
        return {
            "mouth\nopening": self.motion.mouth,
            "eye\nopening": self.motion.eyes,
            "head\nright": moved[:, 0] / scale,
            "head\ndown": moved[:, 1] / scale,
            "roll\n(degrees)": np.degrees(moved[:, 3]),
            "turn\n(nose right)": moved[:, 4],
            "nod\n(nose down)": moved[:, 5],
        }

    def _median_pose(self) -> np.ndarray:
        """Return the median pose (6,), NaN if no frame was read."""
        known = self.motion.pose[self.motion.known]
        return np.median(known, axis=0) if len(known) else np.full(self.motion.pose.shape[1], np.nan)


@dataclass(frozen=True)
class Video:
    """One of the videos that are compared."""

    name: str
    path: Path
    frames: int
    size: tuple[int, int]
    """(height, width)."""
    source_fps: float | None
    origin: float
    """See `s2tf.media.video.VideoClip.origin`."""
    face: Face | None
    """Face of the video, or None without a reader of faces."""
    label: str
    """Name of the system as it stands on pictures, see `s2tf.figures.labels.drawable`."""
    notes: tuple[Note, ...] = ()
    """Findings about the file, made while it was read."""

    @property
    def shows_face(self) -> bool:
        """True if a face was read in any frame."""
        return self.face is not None and self.face.missing < self.frames

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values, without the motion."""
        height, width = self.size
        return {
            "name": self.name,
            "path": str(self.path),
            "frames": self.frames,
            "source_fps": self.source_fps,
            "width": width,
            "height": height,
            "frames_without_face": None if self.face is None else self.face.missing,
        }


def read_video(name: str, path: Path, finder: MotionFinder | None, label: str) -> Video:
    """Read a whole video once: its length, and its face if a finder is given.

    Args:
        name: Name of the system.
        path: The video.
        finder: Reader of faces, or None.
        label: Name of the system on pictures.

    Raises:
        UserError: The video cannot be read, or is not square although the judges read only square crops.
    """
    try:
        with VideoStream(path) as stream:
            height, width = stream.size
            if isinstance(finder, JudgedMotion) and height != width:
                raise UserError(f"{path}: {width}x{height} pixels, expected the square crops that the judges read")
            face = None if finder is None else read_face(stream, stream.size, finder)
            frames = sum(1 for _ in stream) if face is None else len(face.points)
    except ValueError as error:
        raise UserError(str(error)) from error
    return Video(name, path, frames, stream.size, stream.source_fps, stream.origin, face, label, stream.notes)


def read_face(frames: Iterable[np.ndarray], size: tuple[int, int], finder: MotionFinder) -> Face:
    """Read the face of frames (H, W, 3) uint8 of (height, width) `size`; the judges read square frames."""
    if not isinstance(finder, DetectedMotion):
        return _judged_face(frames, finder)
    # Imported here, since only the chosen detector must be installed.
    second = finder.name if finder.name == "mediapipe" else ""
    landmarks = follow_face(frames, FaceSettings(second_chance=second, landmarks=finder.name))
    return Face(to_picture_units(landmarks, max(size)), FaceMotion.of_landmarks(landmarks, max(size)))


def _judged_face(frames: Iterable[np.ndarray], finder: MotionFinder) -> Face:
    frames = iter(frames)
    parts = []
    while block := list(islice(frames, BLOCK)):
        parts.append(finder.read(np.stack(block)))
    values = (np.concatenate([getattr(part, name) for part in parts]) for name in ("lips", "mouth", "eyes", "pose"))
    motion = FaceMotion(*values)
    return Face(place_lips(motion.lips, motion.pose[:, :4]), motion)


def zoom_regions(videos: Sequence[Video], frames: Sequence[int]) -> tuple[list[list[Regions | None]], list[str]]:
    """Choose the regions of frames to enlarge: eyes and lips of the face, or replacements if it was not read.

    Returns:
        The regions of each frame of each video, None where no video shows a face; and a note for every stand-in.
    """
    notes: list[str] = []
    faces = [video.face for video in videos]
    if all(face is None for face in faces):
        return [[None] * len(frames) for _ in videos], notes
    if not all(face is not None and face.has_landmarks for face in faces):
        notes.append("eyes and lips are enlarged at fixed places of the crop: the judges read no landmarks of eyes")
        return [[crop_regions(video.size)] * len(frames) for video in videos], notes
    seen = [video for video in videos if video.shows_face]
    if not seen:
        return [[None] * len(frames) for _ in videos], ["no video shows a face: nothing is enlarged"]
    regions: list[list[Regions | None]] = []
    for video in videos:
        if video.shows_face:
            regions.append([_face_regions(video, frame, notes) for frame in frames])
        else:
            notes.append(f"{video.name}: no face read, the regions are those of {seen[0].name} scaled to it")
            regions.append([_face_regions(seen[0], frame, []).scaled(seen[0].size, video.size) for frame in frames])
    return regions, notes


def _face_regions(video: Video, frame: int, notes: list[str]) -> Regions:
    """Return the regions of the frame's face, or of the face in the nearest frame with a face."""
    assert video.face is not None
    known = np.flatnonzero(video.face.motion.known)
    nearest = int(known[np.abs(known - frame).argmin()])
    if nearest != frame:
        notes.append(
            f"{video.name}: no face read at {frame / FPS:.2f} s, the regions are those of {nearest / FPS:.2f} s"
        )
    landmarks = to_pixels(video.face.points[[*known, nearest]], max(video.size))
    return face_regions(landmarks[-1], float(np.median(eye_distance(landmarks[:-1]))))
