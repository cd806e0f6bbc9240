"""Shards: WebDataset tar files of clips, written so that a file under its name is complete, and read with checks.

A sample's members are `<key>.json` (its `ClipRecord`), `<key>.wav` (16 kHz mono 16-bit), `<key>.frames.mjpeg` (its
JPEGs one after the other; the record's offsets find each), `<key>.landmarks.npy` (T, 68, 2) and, where motion codes
were computed, `<key>.motion.npy` (T, m). Nothing pickled is ever decoded.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.reading import stream_clips
from datamodules.samples import MEMBERS, MOTION, Sample, ShardError, encode_array
from datamodules.sources import MANIFEST, ShardSource, open_source
from s2tf.media.audio import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

AUDIO_SETTINGS = {"sample_rate": SAMPLE_RATE, "channels": 1, "samples_per_frame": SAMPLES_PER_FRAME, "fps": FPS}


class ShardWriter:
    """Writes one split's samples into numbered tar files; a file gets its name only when it is complete.

    Equal samples in equal order give equal bytes: members carry no times and no owner.

    Args:
        folder: Where; it must exist.
        split: Of the samples: names the files, `train-000000.tar`, ...
        samples_per_shard: How many samples a file takes.
        first: Number of the first file.
    """

    def __init__(self, folder: Path, split: str, samples_per_shard: int, first: int = 0):
        self.folder = folder
        self.first = first
        self.split = split
        self.samples_per_shard = samples_per_shard
        self.shards: dict[str, int] = {}
        self._tar: tarfile.TarFile | None = None
        self._file: Any = None
        self._count = 0

    @property
    def _name(self) -> str:
        return f"{self.split}-{self.first + len(self.shards):06d}.tar"

    def write(self, key: str, members: Mapping[str, bytes]) -> None:
        """Append one sample.

        Raises:
            ShardError: It would not be read back: bad key, members or record.
        """
        Sample.from_members(key, members)
        if self._tar is None:
            self._file = open(self.folder / (self._name + ".part"), "wb")  # noqa: SIM115 (closed by _finish)
            self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for member in MEMBERS:
            if member in members:
                info = tarfile.TarInfo(f"{key}.{member}")
                info.size = len(members[member])
                self._tar.addfile(info, io.BytesIO(members[member]))
        self._count += 1
        if self._count == self.samples_per_shard:
            self._finish()

    def close(self) -> None:
        """Complete the last file."""
        if self._tar is not None:
            self._finish()

    def _finish(self) -> None:
        assert self._tar is not None
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = self._name
        os.replace(self.folder / (name + ".part"), self.folder / name)
        self.shards[name] = self._count
        self._tar, self._count = None, 0


def read_shard(path: str | Path) -> Iterator[Sample]:
    """The samples of one tar file, in order, with all their bytes.

    Raises:
        ShardError: The file is truncated, holds a member that is no plain file, leads out of its folder, or a bad
            sample; names the file.
    """
    for clip in stream_clips(str(path)):
        if isinstance(clip, ShardError):
            raise clip
        yield clip


def read_split(folder: str | Path, split: str) -> Iterator[Sample]:
    """All samples of a split, in order, one in memory at a time; raises as `open_source` and `read_shard` do."""
    for url in open_source(ShardSource(str(folder))).split(split).urls:
        yield from read_shard(url)


def load_manifest(folder: str | Path) -> dict[str, Any]:
    """What a shard folder says about itself; raises as `open_source` does."""
    return open_source(ShardSource(str(folder))).manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json` aside and rename it."""
    aside = folder / (MANIFEST + ".part")
    with open(aside, "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, folder / MANIFEST)


def copy_with_motion(
    source: str | Path,
    out: str | Path,
    compute: Callable[[Sample], np.ndarray],
    on_sample: Callable[[int, int], None] | None = None,
) -> None:
    """Copy a shard folder, with `motion.npy` added to every sample.

    Args:
        source: A complete shard folder.
        out: The new folder; made when missing, must hold no shards.
        compute: Gives a sample's motion codes, (T, m).
        on_sample: Called with samples done and samples in all.

    Raises:
        ValueError: `compute` gives another number of rows than the sample has frames, or `out` holds shards.
    """
    out = Path(out)
    manifest = load_manifest(source)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.glob("*.tar")):
        raise ValueError(f"{out} holds shards already: give an empty folder")
    total = sum(sum(entry["shards"].values()) for entry in manifest["splits"].values())
    done, dim = 0, 0
    for split, entry in manifest["splits"].items():
        for number, (name, count) in enumerate(sorted(entry["shards"].items())):
            writer = ShardWriter(out, split, count, first=number)
            for sample in read_shard(Path(source) / name):
                codes = np.asarray(compute(sample), np.float32)
                if codes.ndim != 2 or len(codes) != sample.record.frames:
                    raise ValueError(
                        f"sample {sample.key!r}: motion codes of shape {codes.shape} for {sample.record.frames} frames"
                    )
                members = {name: member[:] for name, member in sample.members.items()}
                writer.write(sample.key, {**members, MOTION: encode_array(codes)})
                done, dim = done + 1, codes.shape[1]
                if on_sample is not None:
                    on_sample(done, total)
            writer.close()
    write_manifest(out, {**manifest, "motion": {"dim": dim}})
