"""Samples on their way to batches: an endless shuffled stream for training, a finite list for validation and test."""

import functools
import random
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import webdataset as wds
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from datamodules.samples import KEY, Sample, ShardError
from datamodules.shards import read_shard


class Example(Protocol):
    """What one row of a batch is made of: bytes drawn from a clip, not yet decoded."""

    def decode(self) -> dict[str, Any]:
        """The row: tensors, numbers and strings by the batch's names."""


E = TypeVar("E", bound=Example)


class Draw(Protocol[E]):
    """Draws examples from clips; picklable, it is sent to the loader's workers."""

    def train(self, sample: Sample, rng: random.Random) -> list[E]:
        """Random examples of a clip."""

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> E:
        """Example `number` of a clip, the same in every run; `rng` is seeded by seed, clip and number."""


class TrainStream(IterableDataset):
    """An endless stream of random examples from WebDataset shards.

    Shards are drawn with replacement, their clips come in order, and the examples drawn from the clips are shuffled
    in a buffer as raw bytes: they are decoded after it, only what they need. The order is a function of (seed, rank,
    number of workers): the same three give the same batches; every rank and worker draws on its own, so that any
    number of either works with any number of shards. An iterator always begins at the stream's beginning; a run that
    resumes gives another `seed` so as not to see the same examples again.

    Args:
        shards: Tar files.
        draw: Draws the examples.
        seed: Of everything random.
        rank: Of this process among those that train together.
        buffer: Examples that wait to be shuffled.
    """

    def __init__(self, shards: list[Path], draw: Draw[Any], seed: str, rank: int = 0, buffer: int = 512):
        super().__init__()
        self.shards = shards
        self.draw = draw
        self.seed = seed
        self.rank = rank
        self.buffer = buffer

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        stream = f"{self.seed}/{self.rank}/{info.id if info is not None else 0}"
        rng = random.Random(stream)
        urls = wds.ResampledShards(
            [str(path) for path in self.shards],
            worker_seed=functools.partial(zlib.crc32, stream.encode()),
            deterministic=True,
        )
        pipeline = wds.DataPipeline(
            urls,
            functools.partial(self._examples, rng=rng),
            wds.shuffle(self.buffer, initial=self.buffer // 4, rng=rng),
        )
        for example in pipeline:
            yield example.decode()

    def _examples(self, urls: Iterator[dict[str, str]], rng: random.Random) -> Iterator[Example]:
        for url in urls:
            for sample in read_shard(url["url"]):
                yield from self.draw.train(sample, rng)


@dataclass(frozen=True)
class Entry:
    """Where a sample lies."""

    shard: Path
    key: str
    members: dict[str, tuple[int, int]]
    """Offset and size in the tar file, by member."""

    def read(self) -> Sample:
        """Read the sample.

        Raises:
            ShardError: It is not as it should be; names shard and sample.
        """
        with open(self.shard, "rb") as file:
            members = {}
            for name, (offset, size) in self.members.items():
                file.seek(offset)
                members[name] = file.read(size)
        try:
            return Sample.from_members(self.key, members)
        except ShardError as error:
            raise ShardError(f"{self.shard}: {error}") from error


def index_shards(shards: list[Path]) -> list[Entry]:
    """Every sample of the shards, in order, found by the tar headers alone.

    Raises:
        ShardError: A shard is truncated or holds a member that is no sample's file.
    """
    entries: list[Entry] = []
    for shard in shards:
        try:
            with tarfile.open(shard, mode="r:") as tar:
                entries.extend(_entries(shard, tar))
        except tarfile.TarError as error:
            raise ShardError(f"{shard}: {error}") from error
    return entries


def _entries(shard: Path, tar: tarfile.TarFile) -> Iterator[Entry]:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    end = shard.stat().st_size
    for info in tar:
        key, _, member = info.name.partition(".")
        if not info.isreg() or not KEY.fullmatch(key):
            raise ShardError(f"{shard}: member {info.name!r} is not a sample's file")
        if info.offset_data + info.size > end:
            raise ShardError(f"{shard}: truncated in member {info.name!r}")
        found.setdefault(key, {})[member] = (info.offset_data, info.size)
    return (Entry(shard, key, members) for key, members in found.items())


class EvaluationSet(Dataset):
    """Every clip's examples exactly once, in the order of the shards; the same in every run and for any worker count.

    Args:
        shards: Tar files.
        draw: Draws the examples.
        seed: Of the choice of frames and windows.
        per_clip: Examples of each clip.
    """

    def __init__(self, shards: list[Path], draw: Draw[Any], seed: int, per_clip: int = 1):
        self.entries = index_shards(shards)
        self.draw = draw
        self.seed = seed
        self.per_clip = per_clip

    def __len__(self) -> int:
        return len(self.entries) * self.per_clip

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip, number = divmod(index, self.per_clip)
        sample = self.entries[clip].read()
        rng = random.Random(f"{self.seed}/{sample.key}/{number}")
        return self.draw.evaluate(sample, number, rng).decode()
