"""Shards: WebDataset tar files of clips, written atomically and read with checks.

A sample's members are `<key>.json` (its `ClipRecord`), `<key>.wav` (16 kHz mono 16-bit), `<key>.frames.mjpeg` (its
JPEGs one after the other; the record's offsets find each) and `<key>.landmarks.npy` (T, 68, 2). Some samples have more:
`<key>.mesh.npy` (T, 478, 3) where the landmarks came from a face mesh, `<key>.motion.npy` (T, m) and
`<key>.features.npy` (2 T, C) where `datamodules.shards.add_member` added them, `<key>.depth.npy` (T, 68) and
`<key>.truth.json` for synthetic speakers. Nothing pickled is ever decoded.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips, stream_clips
from datamodules.shards.samples import MEMBERS, Sample
from datamodules.shards.sources import MANIFEST, ShardSource, open_source
from s2tf.fault_tolerance.atomic_files import atomic_open
from s2tf.media.audio import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

AUDIO_SETTINGS = {"sample_rate": SAMPLE_RATE, "channels": 1, "samples_per_frame": SAMPLES_PER_FRAME, "fps": FPS}


@dataclass
class ShardWriter:
    """Writes samples into a tar file; made by `new_shard`."""

    tar: tarfile.TarFile
    count: int = 0

    def write(self, key: str, members: Mapping[str, bytes]) -> None:
        """Append one sample.

        Raises:
            ShardError: Reading would refuse the sample: its key, members or record are invalid.
        """
        Sample.from_members(key, members)
        for member in MEMBERS:
            if member in members:
                info = tarfile.TarInfo(f"{key}.{member}")
                info.size = len(members[member])
                self.tar.addfile(info, io.BytesIO(members[member]))
        self.count += 1


@contextmanager
def new_shard(path: Path) -> Iterator[ShardWriter]:
    """A writer of the tar file `path`, which appears only when the block ends without an error.

    Equal samples in equal order give equal bytes: members carry no times and no owner.
    """
    with atomic_open(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        yield ShardWriter(tar)


def read_shard(path: str | Path, count: int | None = None) -> Iterator[Sample]:
    """The samples of one tar file, in order.

    Args:
        path: The file.
        count: Number of samples by the manifest; None: unknown, and a file cut between two samples looks complete.

    Raises:
        ShardError: The file is truncated, holds a member that is not a plain file, a name that leads out of its folder,
            or an invalid sample; names the file.
    """
    yield from _whole(stream_clips(str(path)) if count is None else read_clips(str(path), True, count))


def _whole(clips: Iterator[Sample | ShardError]) -> Iterator[Sample]:
    for clip in clips:
        if isinstance(clip, ShardError):
            raise clip
        yield clip


def read_split(folder: str | Path | ShardSource, split: str) -> Iterator[Sample]:
    """All samples of a split, in order, one in memory at a time; raises as `open_source` and `read_shard` do."""
    shards = open_source(_source(folder)).split(split)
    for url, count in zip(shards.urls, shards.counts.tolist(), strict=True):
        yield from _whole(read_clips(url, shards.local, count))


def load_manifest(folder: str | Path | ShardSource) -> dict[str, Any]:
    """The manifest of a shard folder; raises as `open_source` does."""
    return open_source(_source(folder)).manifest


def _source(folder: str | Path | ShardSource) -> ShardSource:
    return folder if isinstance(folder, ShardSource) else ShardSource(str(folder))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json` atomically."""
    with atomic_open(folder / MANIFEST, "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.write("\n")
