"""Inspection of a shard folder: a report of its content, a check of every byte, and random clips to look at."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.records import GENDERS, SPLITS
from datamodules.shards.samples import FEATURES, MESH, MOTION, WAV, Sample
from datamodules.shards.sources import OpenSource, ShardSource, open_source
from datamodules.streaming.clip_order import generator


@dataclass
class SplitReport:
    """The content of a split."""

    shards: int = 0
    bytes: int = 0
    clips: int = 0
    seconds: float = 0.0
    sizes: Counter[int] = field(default_factory=Counter)
    """Clips by the side of their pictures, in pixels."""
    identities: set[str] = field(default_factory=set)
    genders: Counter[str] = field(default_factory=Counter)
    datasets: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    """Clips without a sound track."""
    with_motion: int = 0
    with_features: int = 0
    with_mesh: int = 0
    with_age: int = 0
    pictures: int = 0
    """Stored frames."""

    def add(self, sample: Sample) -> None:
        """Count a clip."""
        record = sample.record
        self.clips += 1
        self.seconds += record.frames / record.fps
        self.sizes[record.size] += 1
        self.identities.add(f"{record.dataset}/{record.identity}")
        self.genders[record.attributes.get("gender") or "unknown"] += 1
        self.datasets[record.dataset] += 1
        self.silent += WAV not in sample.members
        self.with_motion += MOTION in sample.members
        self.with_features += FEATURES in sample.members
        self.with_mesh += MESH in sample.members
        self.with_age += record.attributes.get("age") is not None
        self.pictures += len(record.pictures)

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "shards": self.shards,
            "bytes": self.bytes,
            "clips": self.clips,
            "hours": self.seconds / 3600,
            "sizes": {str(size): count for size, count in sorted(self.sizes.items())},
            "identities": len(self.identities),
            "genders": {name: self.genders[name] for name in (*GENDERS, "unknown")},
            "datasets": dict(sorted(self.datasets.items())),
            "silent": self.silent,
            "with_motion": self.with_motion,
            "with_features": self.with_features,
            "with_mesh": self.with_mesh,
            "with_age": self.with_age,
            "pictures": self.pictures,
        }


@dataclass(frozen=True)
class BrokenSample:
    """A sample that cannot be read."""

    shard: str
    reason: str


@dataclass
class ShardReport:
    """The content of a folder, and its broken samples."""

    splits: dict[str, SplitReport]
    broken: list[BrokenSample] = field(default_factory=list)

    @property
    def shared_identities(self) -> list[str]:
        """Identities that are in more than one split; expected: none."""
        counts = Counter(identity for split in self.splits.values() for identity in split.identities)
        return sorted(identity for identity, count in counts.items() if count > 1)

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "splits": {name: split.to_json() for name, split in self.splits.items()},
            "shared_identities": self.shared_identities,
            "broken": [{"shard": broken.shard, "reason": broken.reason} for broken in self.broken],
        }


def inspect(
    folder: str | Path, verify: bool = False, on_shard: Callable[[int, int], None] | None = None
) -> ShardReport:
    """Read every record of a folder, and with `verify` every byte.

    Args:
        folder: A shard folder.
        verify: Decode every picture, sound, landmark and motion code too.
        on_shard: Called after each shard with the number done and the number in total.

    Raises:
        FileNotFoundError, ShardError: Raised as by `open_source`.
    """
    source = open_source(ShardSource(str(folder)))
    report = ShardReport({name: SplitReport() for name in SPLITS})
    shards = [(name, url, count) for name in SPLITS for url, count in _shards(source, name, report)]
    for done, (name, url, count) in enumerate(shards, start=1):
        split = report.splits[name]
        split.shards += 1
        split.bytes += Path(url).stat().st_size if Path(url).is_file() else 0
        try:
            for clip in read_clips(url, True, count):
                problem = clip if isinstance(clip, ShardError) else _check(clip, name, verify)
                if problem is not None:
                    report.broken.append(BrokenSample(Path(url).name, _after(str(problem), url)))
                if isinstance(clip, Sample):
                    split.add(clip)
        except ShardError as error:
            report.broken.append(BrokenSample(Path(url).name, _after(str(error), url)))
        if on_shard is not None:
            on_shard(done, len(shards))
    return report


def _shards(source: OpenSource, name: str, report: ShardReport) -> Iterator[tuple[str, int]]:
    """The split's shards that exist, with their counts; a missing one is reported as broken."""
    counts = source.manifest["splits"].get(name, {}).get("shards", {})
    for shard in sorted(counts):
        path = Path(source.folder) / shard
        if path.is_file():
            yield str(path), counts[shard]
        else:
            report.broken.append(BrokenSample(shard, f"the file is missing: {counts[shard]} clips are lost"))


def _after(text: str, url: str) -> str:
    return text.removeprefix(f"{url}: ")


def _check(sample: Sample, split: str, verify: bool) -> ShardError | None:
    """Return the fault in a sample, or None."""
    if sample.record.split != split:
        return ShardError(f"sample {sample.key!r}: field 'split' is {sample.record.split!r} in a shard of {split}")
    try:
        if verify:
            _decode(sample)
    except ShardError as error:
        return error
    return None


def _decode(sample: Sample) -> None:
    """Decode everything.

    Raises:
        ShardError: A member cannot be decoded, or the sound has another length than the record says.
    """
    for name, expected in sample.record.crc32.items():
        if name not in sample.members or zlib.crc32(sample.members[name][:]) != expected:
            raise ShardError(f"sample {sample.key!r}: {name} has changed since it was written: its checksum differs")
    record = sample.record
    for index in record.pictures:
        sample.frame(index)
    parts: list[tuple[int, int | None]] = [(index, index + 1) for index in record.portraits]
    for part in parts or [(0, None)]:
        sample.landmarks(*part)
        sample.mesh(*part)
        sample.depth(*part)
    sample.motion()
    sample.features()
    sample.truth()
    if WAV in sample.members and (got := len(sample.pcm())) != sample.record.samples:
        raise ShardError(f"sample {sample.key!r}: {WAV} has {got} samples, its record says {sample.record.samples}")


def random_rows(folder: str | Path, clips: int, seed: int = 0, frames: int = 6) -> list[tuple[str, list[np.ndarray]]]:
    """Random clips to look at: name, and frames evenly from first to last.

    Args:
        folder: A shard folder.
        clips: Number of clips, at most.
        seed: Seed for the choice.
        frames: Frames of each clip.

    Raises:
        FileNotFoundError, ShardError: Raised as by `open_source`, or a chosen clip is broken.
    """
    source = open_source(ShardSource(str(folder)))
    places = [
        (url, count, number)
        for name in SPLITS
        for url, count in zip(*_named(source, name), strict=True)
        for number in range(count)
    ]
    chosen = sorted(generator(seed, "contact sheet").permutation(len(places))[:clips].tolist())
    rows = []
    for url, count, number in (places[index] for index in chosen):
        (clip,) = read_clips(url, True, count, number, number + 1)
        if isinstance(clip, ShardError):
            raise clip
        stored = clip.record.pictures
        shown = [round(position) for position in np.linspace(0, len(stored) - 1, frames)]
        rows.append((f"{clip.key} ({clip.record.split})", [clip.frame(stored[index]) for index in shown]))
    return rows


def _named(source: OpenSource, name: str) -> tuple[list[str], list[int]]:
    shards = source.split(name)
    return shards.urls, shards.counts.tolist()
