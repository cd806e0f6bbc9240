"""Samples: one clip each, with the typed record that says what it is; decoded only as far as asked for."""

import dataclasses
import functools
import io
import json
import math
import operator
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np

from s2tf.media.audio import SAMPLES_PER_FRAME, WAV_HEADER, decode_pcm, from_pcm, plain_wav_header

SPLITS = ("train", "val", "test")
GENDERS = ("female", "male")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
JSON, WAV, FRAMES, LANDMARKS, MOTION = "json", "wav", "frames.mjpeg", "landmarks.npy", "motion.npy"
TRUTH = "truth.json"
REQUIRED = (JSON, FRAMES, LANDMARKS)
MEMBERS = (JSON, WAV, FRAMES, LANDMARKS, MOTION, TRUTH)
MAX_SIZE = 4096
"""Side of the largest pictures, in pixels."""


class ShardError(ValueError):
    """A shard or a sample in it is not what this module writes; the message names it and the field."""


@dataclass(frozen=True)
class ClipRecord:
    """What a sample says about itself; validated when it is made, so also whenever a shard is read."""

    dataset: str
    identity: str
    """The speaker's name; splits share none."""
    clip: str
    """The sample's key."""
    split: str
    fps: int
    size: int
    """Side of the frames in pixels."""
    frames: int
    """T."""
    offsets: list[int]
    """T + 1 byte positions in `frames.mjpeg`: frame i is offsets[i] to offsets[i + 1]."""
    samples: int
    """Of the sound, at 16 kHz; 0 where the clip has none (frames of VFHQ)."""
    crop: dict[str, Any]
    """`rule` (the `CropRule`'s numbers), `box` (x, y, side in the recording's pixels) and how the face was found."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """`gender` (female or male) and `age` (years), where known."""
    crc32: dict[str, int] = field(default_factory=dict)
    """Of the other members, by name; what a picture's decoder does not notice, `s2tf shards --verify` does."""

    def __post_init__(self) -> None:
        for name, problem in _problems(self):
            raise ShardError(f"sample {self.clip!r}: field {name!r} is {_short(getattr(self, name))}, {problem}")

    @classmethod
    def from_json(cls, text: bytes, sample: str) -> "ClipRecord":
        """Parse and validate.

        Raises:
            ShardError: Not JSON, a field missing, unknown, of the wrong type or out of range; names sample and field.
        """
        try:
            data = json.loads(text)
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ShardError(f"sample {sample!r}: its JSON cannot be read: {error}") from error
        if not isinstance(data, dict):
            raise ShardError(f"sample {sample!r}: its JSON is no object")
        unknown, missing = set(data) - _FIELDS, _REQUIRED_FIELDS - set(data)
        if unknown or missing:
            raise ShardError(f"sample {sample!r}: fields missing {sorted(missing)}, unknown {sorted(unknown)}")
        if data["clip"] != sample:
            raise ShardError(f"sample {sample!r}: field 'clip' is {_short(data['clip'])}, expected the sample's key")
        return cls(**data)

    def to_json(self) -> bytes:
        """The record as JSON with sorted keys: equal records give equal bytes."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False).encode()


_FIELDS = {item.name for item in dataclasses.fields(ClipRecord)}
_REQUIRED_FIELDS = _FIELDS - {"attributes", "crc32"}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _problems(record: ClipRecord) -> Iterator[tuple[str, str]]:
    """Fields that are wrong, and what was expected."""
    for name in ("dataset", "identity", "clip"):
        value = getattr(record, name)
        if not isinstance(value, str) or not value:
            yield name, "expected a name"
    if record.split not in SPLITS:
        yield "split", f"expected one of {list(SPLITS)}"
    for name, least, most in (("fps", 1, None), ("size", 1, MAX_SIZE), ("frames", 1, None), ("samples", 0, None)):
        value = getattr(record, name)
        if type(value) is not int or value < least or (most is not None and value > most):
            yield name, f"expected a whole number of at least {least}" + (f", at most {most}" if most else "")
    for name in ("crop", "attributes", "crc32"):
        if not isinstance(getattr(record, name), dict):
            yield name, "expected an object"
    yield from _offset_problems(record)
    yield from _attribute_problems(record.attributes)


def _offset_problems(record: ClipRecord) -> Iterator[tuple[str, str]]:
    offsets = record.offsets
    if not isinstance(offsets, list) or len(offsets) != record.frames + 1:
        yield "offsets", f"expected a list of frames + 1 = {record.frames + 1} byte positions"
    elif set(map(type, offsets)) != {int} or offsets[0] != 0:
        yield "offsets", "expected whole numbers, the first one 0"
    elif not all(map(operator.lt, offsets, offsets[1:])):
        yield "offsets", "expected them to increase"


def _attribute_problems(attributes: object) -> Iterator[tuple[str, str]]:
    if not isinstance(attributes, dict):
        return
    gender, age = attributes.get("gender"), attributes.get("age")
    if gender is not None and gender not in GENDERS:
        yield "attributes", f"expected gender to be one of {list(GENDERS)}"
    if age is not None and (isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age <= 130):
        yield "attributes", "expected age to be years"


class Member(Protocol):
    """A file of a sample: `bytes`, or what reads them when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True)
class Sample:
    """One clip as it lies in a shard: bytes, decoded only as far as asked for."""

    key: str
    record: ClipRecord
    members: Mapping[str, Member]

    @classmethod
    def from_members(cls, key: str, members: Mapping[str, Member]) -> "Sample":
        """Check the names and the record of a sample.

        Raises:
            ShardError: A bad key, a member missing or unknown, or a bad record.
        """
        if not KEY.fullmatch(key):
            raise ShardError(f"sample {key!r}: not a key of letters, digits, '_' and '-'")
        missing, unknown = set(REQUIRED) - set(members), set(members) - set(MEMBERS)
        if missing or unknown:
            raise ShardError(f"sample {key!r}: members missing {sorted(missing)}, unknown {sorted(unknown)}")
        record = ClipRecord.from_json(members[JSON][:], key)
        if (WAV in members) != (record.samples > 0):
            there = "is there" if WAV in members else "is missing"
            raise ShardError(f"sample {key!r}: field 'samples' is {record.samples}, but member {WAV!r} {there}")
        if record.offsets[-1] != len(members[FRAMES]):
            raise ShardError(
                f"sample {key!r}: field 'offsets' ends at {record.offsets[-1]}, but {FRAMES} has "
                f"{len(members[FRAMES])} bytes"
            )
        return cls(key, record, members)

    def jpeg(self, index: int) -> bytes:
        """The bytes of frame `index`."""
        offsets = self.record.offsets
        return self.members[FRAMES][offsets[index] : offsets[index + 1]]

    def frame(self, index: int) -> np.ndarray:
        """Frame `index`, (size, size, 3) uint8 RGB; only its own bytes are decoded."""
        return decode_jpeg(self.jpeg(index), self.record.size, self.key)

    def frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Frames start to stop - 1, (T, size, size, 3) uint8 RGB."""
        stop = self.record.frames if stop is None else min(stop, self.record.frames)
        return np.stack([self.frame(index) for index in range(start, stop)])

    def pcm(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Samples of the sound as stored, (S,) int16; fewer than `count` where it ends."""
        if WAV not in self.members:
            raise ShardError(f"sample {self.key!r} has no sound, which this kind of batch needs")
        try:
            pcm = self._pcm(self.members[WAV], start, count)
        except ValueError as error:
            raise ShardError(f"sample {self.key!r}: {WAV}: {error}") from error
        if not len(pcm) and start < self.record.samples and count != 0:
            raise ShardError(f"sample {self.key!r}: {WAV} ends before sample {start}, its record has more")
        return pcm

    def _pcm(self, wav: Member, start: int, count: int | None) -> np.ndarray:
        samples = max(0, len(wav) - WAV_HEADER) // 2
        if wav[:WAV_HEADER] != plain_wav_header(samples):
            return decode_pcm(wav[:], start, count)
        # As `s2tf prepare` writes it: only the bytes that are wanted are read.
        stop = samples if count is None else min(samples, start + count)
        return np.frombuffer(wav[WAV_HEADER + 2 * min(start, stop) : WAV_HEADER + 2 * stop], "<i2")

    def waveform(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Samples of the sound, (S,) float32 in [-1, 1]; fewer than `count` where it ends."""
        return from_pcm(self.pcm(start, count))

    def speech(self, frame: int, frames: int) -> np.ndarray:
        """The sound of `frames` frames from frame `frame` on: exactly frames * 640 samples, silence past its end."""
        wanted = frames * SAMPLES_PER_FRAME
        waveform = self.waveform(frame * SAMPLES_PER_FRAME, wanted)
        return np.pad(waveform, (0, wanted - len(waveform)))

    def landmarks(self) -> np.ndarray:
        """(T, 68, 2) float32 in pixels of the stored frames."""
        return self._array(LANDMARKS, (self.record.frames, 68, 2))

    def motion(self) -> np.ndarray | None:
        """(T, m) float32 motion codes, None where the shard has none."""
        return self._array(MOTION, (self.record.frames, None)) if MOTION in self.members else None

    def truth(self) -> dict[str, Any]:
        """What else is known: a synthetic speaker's parameters, and per frame pose, blink and viseme; else empty."""
        if TRUTH not in self.members:
            return {}
        try:
            return dict(json.loads(self.members[TRUTH][:]))
        except (ValueError, TypeError) as error:
            raise ShardError(f"sample {self.key!r}: {TRUTH} cannot be read: {error}") from error

    def _array(self, member: str, shape: tuple[int | None, ...]) -> np.ndarray:
        try:
            array = _decode_array(self.members[member][:])
        except (ValueError, EOFError, OSError, SyntaxError, struct.error) as error:
            raise ShardError(f"sample {self.key!r}: {member} cannot be read: {error}") from error
        fits = array.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.float32 or not fits or not np.isfinite(array).all():
            raise ShardError(
                f"sample {self.key!r}: {member} is {array.dtype} {array.shape}, expected finite float32 {shape}"
            )
        return array


def _decode_array(data: bytes) -> np.ndarray:
    """An `.npy` file's array; not `np.load`, whose reading of the header costs as much as a picture's decoding."""
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    shape, order, dtype = _array_header(data[:start])
    if dtype.hasobject or order:
        raise ValueError(f"holds {dtype} in {'Fortran' if order else 'C'} order, expected plain numbers in C order")
    if len(data) - start != dtype.itemsize * math.prod(shape):
        raise ValueError(f"holds {len(data) - start} bytes after its header, which says {shape} of {dtype}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


@functools.lru_cache(maxsize=1024)
def _array_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of the format, expected (1, 0)")
    return np.lib.format.read_array_header_1_0(file)


def decode_jpeg(data: bytes, size: int, key: str) -> np.ndarray:
    """One JPEG as (size, size, 3) uint8 RGB.

    Raises:
        ShardError: It cannot be decoded, or has another size; names the sample.
    """
    # Before it is decoded: a few kilobytes may hold a picture of gigabytes.
    stored = _jpeg_size(data)
    if stored is None:
        raise ShardError(f"sample {key!r}: a frame is no JPEG")
    if stored != (size, size):
        raise ShardError(f"sample {key!r}: a frame is {stored[0]}x{stored[1]}, its record says {size}")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None or image.shape != (size, size, 3):
        raise ShardError(f"sample {key!r}: a frame is no JPEG that can be decoded")
    return image


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by a JPEG's headers alone; None where it has none.

    By hand, since Pillow's lazy reading costs a tenth of a small picture's decoding.
    """
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        # Start of frame: C0 to CF but DHT, JPG and DAC.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def encode_jpegs(frames: np.ndarray, quality: int) -> tuple[bytes, list[int]]:
    """Frames (T, H, W, 3) uint8 RGB as JPEGs one after the other, and their T + 1 byte offsets."""
    # 4:4:4: at the small sizes stored, halved colour would smear the lips.
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    pieces, offsets = [], [0]
    for frame in frames:
        done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
        if not done:
            raise ValueError(f"a frame of shape {frame.shape} cannot be written as JPEG")
        pieces.append(data.tobytes())
        offsets.append(offsets[-1] + len(pieces[-1]))
    return b"".join(pieces), offsets


def encode_array(array: np.ndarray) -> bytes:
    """An array as the bytes of a float32 `.npy`."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    return buffer.getvalue()
