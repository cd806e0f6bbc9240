"""Turns a recording into the bytes of a sample, by the same steps for synthetic speakers and real recordings."""

import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from datamodules.prepare.recording import LoadedClip, PrepareError, Recording
from datamodules.shards.codecs import encode_array, encode_jpegs
from datamodules.shards.records import ClipRecord
from datamodules.shards.samples import DEPTH, FRAMES, JSON, LANDMARKS, MESH, TRUTH, WAV
from s2tf.faces.crop import CropRule, SquareBox, crop, square_box, to_crop
from s2tf.faces.tracking import FaceError, FaceSettings, track_face
from s2tf.media.audio import FPS, SAMPLES_PER_FRAME, encode_wav
from s2tf.media.mending import check_speech


@dataclass(frozen=True)
class ClipSettings:
    """The treatment of every clip.

    Args:
        rule: The crop, stored in every sample.
        faces: Backends that find the face in recordings without landmarks.
        min_seconds: Shorter clips fail at the step `length`.
        max_seconds: Longer clips are cut to this, and counted, or None if there are none.
        min_face_px: Clips whose crop has a smaller side, in the recording's pixels, fail at the step `size`.
        jpeg_quality: Quality of the stored frames, 1 to 100.
        mesh: Store the face mesh of 478 points too, where the backend gives one.
        portraits: Number of pictures that are stored of each clip, or None for all frames. The first frame is one of
            them, the others follow evenly; landmarks and mesh are those of the stored frames, the sound is whole.
    """

    rule: CropRule
    faces: FaceSettings = field(default_factory=FaceSettings)
    min_seconds: float = 1.0
    max_seconds: float | None = None
    min_face_px: float = 0.0
    jpeg_quality: int = 92
    mesh: bool = True
    portraits: int | None = None


@dataclass(frozen=True)
class PreparedClip:
    """A sample ready to be written."""

    key: str
    identity: str
    split: str
    frames: int
    gender: str | None
    notes: tuple[str, ...]
    """Kinds of unusual steps: `cut`, `trimmed`, `filled`, and those of `s2tf.media.notes`, each once."""
    members: dict[str, bytes]


def prepare_clip(recording: Recording, split: str, settings: ClipSettings) -> PreparedClip:
    """Load a recording, find and follow its face, crop and encode it.

    Raises:
        PrepareError: The recording cannot be used; names the step and the reason.
    """
    # Pictures and sound of one length, trimmed to the frames that have the face.
    loaded = recording.load()
    clip, cut = _fit_together(loaded, settings.max_seconds)
    _check_length(clip, settings)
    _check_sound(clip)
    face, how = _face(clip, settings.faces)
    landmarks, clip = face.landmarks, _part(clip, face.start, face.stop)
    _check_length(clip, settings)
    # The crop, and each member's bytes.
    box = square_box(landmarks, settings.rule)
    _check_size(box, settings)
    size = settings.rule.size
    stored = _stored(len(clip.frames), settings.portraits)
    pictures, offsets = encode_jpegs(crop(clip.frames[stored], box, size), settings.jpeg_quality)
    sound = {} if clip.waveform is None else {WAV: encode_wav(clip.waveform)}
    points = {LANDMARKS: encode_array(to_crop(landmarks[stored], box, size))}
    if face.mesh is not None and settings.mesh:
        points[MESH] = encode_array(_mesh_in_crop(face.mesh[stored], box, size))
    if clip.depth is not None:
        points[DEPTH] = encode_array((clip.depth[stored] * (size / box.side)).astype(np.float16))
    truth = {TRUTH: json.dumps(clip.truth, sort_keys=True, allow_nan=False).encode()} if clip.truth else {}
    members = {**sound, FRAMES: pictures, **points, **truth}
    # The record.
    record = ClipRecord(
        dataset=recording.dataset,
        identity=recording.identity,
        clip=recording.key,
        split=split,
        fps=FPS,
        size=size,
        frames=len(clip.frames),
        offsets=offsets,
        samples=0 if clip.waveform is None else len(clip.waveform),
        crop={"rule": settings.rule.to_json(), "box": {"x": box.x, "y": box.y, "side": box.side}, **how},
        attributes=recording.attributes,
        crc32={name: zlib.crc32(data) for name, data in members.items()},
        notes=[f"{note.kind}: {note.text}" for note in loaded.notes],
        portraits=[] if len(stored) == len(clip.frames) else stored.tolist(),
    )
    notes = [name for name, is_so in (("cut", cut), ("trimmed", how["trimmed"]), ("filled", how["filled"])) if is_so]
    return PreparedClip(
        recording.key,
        recording.identity,
        split,
        record.frames,
        recording.attributes.get("gender"),
        tuple(dict.fromkeys((*notes, *(note.kind for note in loaded.notes)))),
        {JSON: record.to_json(), **members},
    )


def _fit_together(clip: LoadedClip, max_seconds: float | None) -> tuple[LoadedClip, bool]:
    """The clip with frames and sound of one length; also True where `max_seconds` cut it."""
    frames = len(clip.frames)
    if clip.waveform is not None:
        frames = min(frames, max(1, round(len(clip.waveform) / SAMPLES_PER_FRAME)))
    limit = frames if max_seconds is None else max(1, round(max_seconds * FPS))
    return _part(clip, 0, min(frames, limit)), frames > limit


def _part(clip: LoadedClip, start: int, stop: int) -> LoadedClip:
    """Frames start to stop - 1 with exactly their sound: 640 samples per frame, silence where the sound ends early."""
    waveform = clip.waveform
    if waveform is not None:
        waveform = waveform[start * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
        waveform = np.pad(waveform, (0, (stop - start) * SAMPLES_PER_FRAME - len(waveform)))
    landmarks, depth = (None if points is None else points[start:stop] for points in (clip.landmarks, clip.depth))
    return replace(clip, frames=clip.frames[start:stop], waveform=waveform, landmarks=landmarks, depth=depth)


def _stored(frames: int, portraits: int | None) -> np.ndarray:
    """Numbers of the frames that are stored."""
    count = frames if portraits is None else min(portraits, frames)
    return np.arange(count) * frames // count


def _check_length(clip: LoadedClip, settings: ClipSettings) -> None:
    seconds = len(clip.frames) / FPS
    if seconds < settings.min_seconds:
        raise PrepareError(
            "length", f"{seconds:.2f} s of sound and picture, expected at least {settings.min_seconds:g} s"
        )


def _check_sound(clip: LoadedClip) -> None:
    reason = None if clip.waveform is None else check_speech(clip.waveform)
    if reason is not None:
        raise PrepareError("sound", f"the sound track {reason}")


def _check_size(box: SquareBox, settings: ClipSettings) -> None:
    if box.side < settings.min_face_px:
        raise PrepareError("size", f"crop of {box.side} px, expected at least {settings.min_face_px:g} px")


@dataclass(frozen=True)
class _Face:
    """The face in frames `start` to `stop` - 1; the fields are those of `TrackedFace`."""

    landmarks: np.ndarray
    mesh: np.ndarray | None
    start: int
    stop: int


def _face(clip: LoadedClip, faces: FaceSettings) -> tuple[_Face, dict[str, Any]]:
    """The face in the frames that show it, and the record's facts about the way it was found."""
    frames = len(clip.frames)
    if clip.landmarks is not None:
        if clip.landmarks.shape != (frames, 68, 2):
            raise PrepareError("landmarks", f"given as {clip.landmarks.shape}, expected {(frames, 68, 2)}")
        how: dict[str, Any] = {"detector": "given", "landmarks": "given", "trimmed": 0, "filled": 0}
        return _Face(clip.landmarks, None, 0, frames), how
    try:
        face = track_face(clip.frames, faces, clip.point)
    except FaceError as error:
        raise PrepareError(error.step, error.reason) from error
    how = {
        "detector": face.found.detector,
        "landmarks": faces.landmarks,
        "faces": face.found.faces,
        "trimmed": frames - (face.stop - face.start),
        "filled": face.filled,
    }
    return _Face(face.landmarks, face.mesh, face.start, face.stop), how


def _mesh_in_crop(mesh: np.ndarray, box: SquareBox, size: int) -> np.ndarray:
    """A mesh (T, 478, 3) in the recording's pixels, converted to the crop's pixels for storage, including the depth.

    Half precision is exact to a sixteenth of a pixel in pictures of 256, which is finer than the mesh.
    """
    plane = to_crop(mesh[..., :2], box, size)
    return np.concatenate([plane, mesh[..., 2:] * (size / box.side)], axis=-1).astype(np.float16)
