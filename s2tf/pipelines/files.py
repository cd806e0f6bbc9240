"""Files for pipelines: speech and portrait in, video out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.errors import UserError
from s2tf.faces.backends import open_detector, open_landmarks
from s2tf.faces.crop import CropRule, choose_face, crop, square_box
from s2tf.media.audio import FPS
from s2tf.media.mending import check_speech
from s2tf.media.picture_modes import MID_GREY, Colour
from s2tf.media.pictures import RANDOM_NOTE, read_picture
from s2tf.media.sound import read_sound
from s2tf.media.video_writer import VideoWriter
from s2tf.pipelines.sampling import check_waveform


@dataclass(frozen=True)
class WrittenVideo:
    """A video file that is complete."""

    path: Path
    frames: int
    size: int
    """Side of the frames, in pixels."""

    @property
    def seconds(self) -> float:
        """Length of the video."""
        return self.frames / FPS

    def to_json(self) -> dict[str, Any]:
        """The record of the video, in plain values."""
        return {"out": str(self.path), "frames": self.frames, "seconds": self.seconds, "size": self.size}


def read_speech(path: str | Path, report: Callable[[str], None] | None = None) -> np.ndarray:
    """The sound of a file at 16 kHz.

    Args:
        path: The file.
        report: Function that is called with a line about each thing that was found and mended in the sound.

    Raises:
        UserError: The file does not exist, has no sound, holds samples that are not finite, or no audible speech.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}, expected a sound file")
    try:
        sound = read_sound(path)
        waveform = check_waveform(sound.waveform, f"{path}: the sound")
    except ValueError as error:
        raise UserError(str(error)) from error
    if reason := check_speech(waveform):
        raise UserError(f"{path}: the sound {reason}")
    if report is not None:
        for note in sound.notes:
            report(f"{path}: {note.kind}: {note.text}")
    return waveform


def read_portrait(path: Path, background: Colour = MID_GREY) -> np.ndarray:
    """Read a picture file that is cropped like the pipeline's training data, (H, H, 3) uint8 RGB.

    Args:
        path: The picture.
        background: Colour behind its transparent parts.

    Raises:
        UserError: The file does not exist, or is not a square picture.
    """
    picture = read_picture(path, background)
    height, width = picture.shape[:2]
    if height != width:
        raise UserError(
            f"{path}: a picture of {width}x{height} pixels, expected a square portrait; "
            "`--crop` finds the face in a larger picture"
        )
    return picture


def crop_portrait(path: Path, crop_rule: Mapping[str, Any] | None, background: Colour = MID_GREY) -> np.ndarray:
    """The largest face of a picture file, cropped by a pipeline's `crop_rule`, (H, H, 3) uint8 RGB.

    Args:
        path: The picture.
        crop_rule: Rule of the pipeline, or None if it stores none.
        background: Colour behind the picture's transparent parts.

    Raises:
        UserError: There is no such picture, no face is found in it, or the pipeline has no rule.
    """
    if crop_rule is None:
        raise UserError(
            f"{path}: the pipeline stores no crop rule for --crop, expected a cropped picture and no --crop"
        )
    picture, rule = read_picture(path, background), CropRule.from_json(dict(crop_rule))
    faces = open_detector("dlib").detect(picture) or open_detector("mediapipe").detect(picture)
    if not faces:
        raise UserError(f"{path}: no face was found, expected a picture of a face")
    landmarks = open_landmarks("mediapipe").landmarks(picture[None], choose_face(faces)).points
    if not np.isfinite(landmarks).all():
        raise UserError(f"{path}: a face was found, but not its landmarks")
    return crop(picture[None], square_box(landmarks, rule), rule.size)[0]


def write_video(
    frames: Iterable[np.ndarray], waveform: np.ndarray, path: str | Path, random_weights: Sequence[str] = ()
) -> WrittenVideo:
    """Write square frames with their sound as they are generated; the whole video is never in memory.

    Args:
        frames: (R, R, 3) uint8 RGB each, at least one.
        waveform: (S,) at 16 kHz.
        path: The video; its folder is created if it does not exist.
        random_weights: Networks that were never trained; the file's metadata names them.

    Raises:
        ValueError: There is no frame.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: there is no frame to write")
    comment = f"{RANDOM_NOTE}: {', '.join(random_weights)}" if random_weights else ""
    height, width = first.shape[:2]
    with VideoWriter(path, (height, width), FPS, waveform, comment=comment) as video:
        video.write(first)
        for frame in frames:
            video.write(frame)
    return WrittenVideo(path, video.frames, height)
