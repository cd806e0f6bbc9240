"""The finite stream of validation and test batches."""

import functools
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSet
from datamodules.streaming.batching import Batch, Batcher, Fill, batches
from datamodules.streaming.sampling import BrokenClipCounter, ClipSampler, naming_shard


class EvaluationStream(IterableDataset):
    """Batches of every clip's examples, each exactly once over all ranks and workers, in the order of the shards.

    Rank r of W takes every W-th example: the ranks' counts differ by at most one, and no rank is padded. Shards that
    are not local files are read whole by every worker of every rank.

    Args:
        sets: The data sets' shards.
        sampler: Chooses the examples.
        seed: Seed for the choice of frames and windows.
        per_clip: Examples taken from each clip.
        rank: Rank of this process.
        world: Number of processes that evaluate together.
        batch_size: Rows in a batch; any number of workers keeps the order.
        max_broken: Broken samples that each worker may leave out, logged one by one; one more is an error.
        numbers: Numbers of this rank's batches to read, ascending, or None for all.
    """

    def __init__(
        self,
        sets: list[ShardSet],
        sampler: ClipSampler[Any],
        seed: int,
        per_clip: int = 1,
        rank: int = 0,
        world: int = 1,
        batch_size: int = 1,
        max_broken: int = 0,
        numbers: Sequence[int] | None = None,
    ):
        super().__init__()
        self.sets = sets
        self.sampler = sampler
        self.seed = seed
        self.per_clip = per_clip
        self.rank = rank
        self.world = world
        self.batch_size = batch_size
        self.max_broken = max_broken
        self.places = None if numbers is None else {number: place for place, number in enumerate(numbers)}
        """Place of each wanted batch among the wanted ones, or None if all are wanted."""

    def __len__(self) -> int:
        """The number of batches of this rank."""
        return math.ceil(self.examples / self.batch_size) if self.places is None else len(self.places)

    @property
    def examples(self) -> int:
        """The number of examples of this rank."""
        total = self.per_clip * sum(int(shards.counts.sum()) for shards in self.sets)
        return len(range(self.rank, total, self.world))

    def __iter__(self) -> Iterator[Batch]:
        return batches(self._rows(), self.batch_size, self.sampler.collate)

    def _rows(self) -> Iterator[Fill]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        broken = BrokenClipCounter(self.max_broken)
        before = 0
        for shards in self.sets:
            for url, count in zip(shards.urls, shards.counts.tolist(), strict=True):
                wanted = self._wanted(before * self.per_clip, (before + count) * self.per_clip, worker, workers)
                yield from self._shard(shards, url, count, before, wanted, broken)
                before += count

    def _wanted(self, start: int, stop: int, worker: int, workers: int) -> list[int]:
        """The examples of this rank and worker among the examples `start` to `stop` - 1 of all."""
        first = start + (self.rank - start) % self.world
        return [
            index
            for index in range(first, stop, self.world)
            if (place := self._place(index // self.world // self.batch_size)) is not None and place % workers == worker
        ]

    def _place(self, batch: int) -> int | None:
        return batch if self.places is None else self.places.get(batch)

    def _shard(
        self, shards: ShardSet, url: str, count: int, before: int, wanted: list[int], broken: BrokenClipCounter
    ) -> Iterator[Fill]:
        if not wanted:
            return
        by_clip = {
            clip: list(indices) for clip, indices in itertools.groupby(wanted, lambda index: index // self.per_clip)
        }
        first, last = (index // self.per_clip - before for index in (wanted[0], wanted[-1]))
        clips = read_clips(url, shards.local, count, first, last + 1)
        for number, clip in enumerate(clips, start=before + first):
            for index in by_clip.get(number, []):
                yield functools.partial(self._fill, clip, index % self.per_clip, url, number - before, broken)

    def _fill(
        self, clip: Sample | ShardError, example: int, url: str, place: int, broken: BrokenClipCounter, batcher: Batcher
    ) -> bool:
        try:
            if isinstance(clip, ShardError):
                raise clip
            rng = random.Random(f"{self.seed}/{clip.key}/{example}")
            self.sampler.evaluate(clip, example, rng).decode(batcher)
            return True
        except ShardError as error:
            batcher.drop_row()
            broken.add(naming_shard(url, error), url, place)
            return False
