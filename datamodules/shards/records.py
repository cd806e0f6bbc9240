"""The record of a sample: typed facts about its clip, stored as JSON."""

import dataclasses
import json
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datamodules.shards.errors import ShardError

SPLITS = ("train", "val", "test")
GENDERS = ("female", "male")
MAX_SIZE = 4096
"""Side of the largest pictures, in pixels."""


@dataclass(frozen=True)
class ClipRecord:
    """The facts about a clip; validated whenever one is built, hence also whenever a shard is read."""

    dataset: str
    identity: str
    """The speaker's name; no two splits share one."""
    clip: str
    """The sample's key."""
    split: str
    fps: int
    size: int
    """Side of the frames in pixels."""
    frames: int
    """Number of frames of the clip, T."""
    offsets: list[int]
    """Byte positions in `frames.mjpeg`, one more than pictures: picture i is offsets[i] to offsets[i + 1]."""
    samples: int
    """Samples of the sound at 16 kHz; 0 where the clip has no sound (frames of VFHQ)."""
    crop: dict[str, Any]
    """`rule` (the `CropRule`'s numbers), `box` (x, y, side in the recording's pixels), and how the face was found."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """`gender` (female or male) and `age` (years), where known."""
    crc32: dict[str, int] = field(default_factory=dict)
    """Checksums of the other members, by name: `s2tf shards --verify` finds damage that a decoder does not notice."""

    notes: list[str] = field(default_factory=list)
    """Findings about the recording's file, such as `damaged: 2 damaged packets of the sound passed over (...)`."""

    portraits: list[int] = field(default_factory=list)
    """Numbers of the frames that are stored, frame 0 the first of them; empty: all frames are."""

    @property
    def pictures(self) -> Sequence[int]:
        """Numbers of the frames that are stored."""
        return self.portraits or range(self.frames)

    def __post_init__(self) -> None:
        for name, problem in _problems(self):
            raise ShardError(f"sample {self.clip!r}: field {name!r} is {_short(getattr(self, name))}, {problem}")

    @classmethod
    def from_json(cls, text: bytes, sample: str) -> "ClipRecord":
        """Parse and validate.

        Raises:
            ShardError: The text is not JSON, or a field is missing, unknown, of the wrong type or out of range; names
                sample and field.
        """
        try:
            data = json.loads(text)
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ShardError(f"sample {sample!r}: its JSON cannot be read: {error}") from error
        if not isinstance(data, dict):
            raise ShardError(f"sample {sample!r}: its JSON is not an object")
        unknown, missing = set(data) - _FIELDS, _REQUIRED_FIELDS - set(data)
        if unknown or missing:
            raise ShardError(f"sample {sample!r}: fields missing {sorted(missing)}, unknown {sorted(unknown)}")
        if data["clip"] != sample:
            raise ShardError(f"sample {sample!r}: field 'clip' is {_short(data['clip'])}, expected the sample's key")
        return cls(**data)

    def to_json(self) -> bytes:
        """The record as JSON with sorted keys: equal records give equal bytes."""
        data = dataclasses.asdict(self)
        # Ordinary samples keep the bytes that they had before there were these fields.
        for name in ("notes", "portraits"):
            if not data[name]:
                del data[name]
        return json.dumps(data, sort_keys=True, allow_nan=False).encode()


_FIELDS = {item.name for item in dataclasses.fields(ClipRecord)}
_REQUIRED_FIELDS = _FIELDS - {"attributes", "crc32", "notes", "portraits"}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _problems(record: ClipRecord) -> Iterator[tuple[str, str]]:
    """The wrong fields, each with the expectation."""
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
    if not isinstance(record.notes, list) or not all(isinstance(note, str) for note in record.notes):
        yield "notes", "expected a list of texts"
    portraits = record.portraits
    if portraits and not _are_frames(portraits, record.frames):
        yield "portraits", f"expected increasing numbers of frames below {record.frames}, the first one 0"
        return
    yield from _offset_problems(record)
    yield from _attribute_problems(record.attributes)


def _offset_problems(record: ClipRecord) -> Iterator[tuple[str, str]]:
    offsets, count = record.offsets, len(record.portraits) or record.frames
    if not isinstance(offsets, list) or len(offsets) != count + 1:
        yield (
            "offsets",
            f"expected a list of {'portraits' if record.portraits else 'frames'} + 1 = {count + 1} byte positions",
        )
    elif set(map(type, offsets)) != {int} or offsets[0] != 0:
        yield "offsets", "expected whole numbers, the first one 0"
    elif not all(map(operator.lt, offsets, offsets[1:])):
        yield "offsets", "expected them to increase"


def _are_frames(numbers: object, frames: int) -> bool:
    if not isinstance(numbers, list) or set(map(type, numbers)) != {int} or numbers[0] != 0:
        return False
    return all(map(operator.lt, numbers, [*numbers[1:], frames]))


def _attribute_problems(attributes: object) -> Iterator[tuple[str, str]]:
    if not isinstance(attributes, dict):
        return
    gender, age = attributes.get("gender"), attributes.get("age")
    if gender is not None and gender not in GENDERS:
        yield "attributes", f"expected gender to be one of {list(GENDERS)}"
    if age is not None and (isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age <= 130):
        yield "attributes", "expected age in years, 0 to 130"
