"""Samples on their way to batches: an endless shuffled stream for training, a finite one for validation and test."""

import functools
import itertools
import logging
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSet
from datamodules.streaming.batching import Batch, Batcher, Fill, batches
from datamodules.streaming.clip_order import ClipOrder, Mixture, generator

log = logging.getLogger(__name__)
MIN_BLOCK = 16
"""Clips."""
READ_TOGETHER = 8
"""Clips: read one by one between the decoding of pictures, frame pairs came a twentieth slower."""


class Example(Protocol):
    """What one row of a batch is made of: bytes drawn from a clip, not yet decoded."""

    def decode(self, batcher: Batcher) -> None:
        """Fill a row of the batch.

        Raises:
            ShardError: Something cannot be decoded; the row may be half filled then.
        """


E = TypeVar("E", bound=Example)


class Draw(Protocol[E]):
    """Draws examples from clips; picklable, it is sent to the loader's workers."""

    @property
    def per_clip(self) -> int:
        """Examples that training draws from a clip each time it reads it."""

    def train(self, sample: Sample, rng: random.Random) -> list[E]:
        """`per_clip` random examples of a clip."""

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> E:
        """Example `number` of a clip, the same in every run; `rng` is seeded by seed, clip and number."""

    def complete(self, batch: Batch) -> Batch:
        """A batch with what is computed for all its rows at once, in the loader's worker."""


class Broken:
    """Counts what could not be read, and ends the training when it is more than was allowed.

    Args:
        limit: Broken clips that this process may pass over.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._known: set[tuple[str, int]] = set()

    def add(self, error: ShardError, url: str, clip: int) -> None:
        """Count and log a clip that was not known to be broken.

        Args:
            error: What is wrong with it.
            url: Its shard.
            clip: Its number in the shard.

        Raises:
            ShardError: It is one too many.
        """
        if (url, clip) in self._known:
            return
        self._known.add((url, clip))
        count = len(self._known)
        if count > self.limit:
            raise ShardError(
                f"{error}\n{count} broken samples in this process, data.init_args.max_broken allows {self.limit}; "
                "`s2tf shards DIR --verify` lists every broken sample"
            ) from error
        log.warning("passed over broken sample %d of at most %d: %s", count, self.limit, error)


@dataclass(slots=True)
class Drawn:
    """An example, or what was wrong with its clip, and the shard that it comes from."""

    example: Example | None
    error: ShardError | None
    url: str
    clip: int
    """Its number in the shard."""

    def failed(self, error: ShardError) -> "Drawn":
        """The same without its example, the error naming the shard."""
        return Drawn(None, _naming(self.url, error), self.url, self.clip)


def _naming(url: str, error: ShardError) -> ShardError:
    text = str(error)
    return error if text.startswith(url) else ShardError(f"{url}: {text}")


class ExampleStream:
    """One slot's endless stream of examples from one data set.

    The slot's clips (`ClipOrder`) are cut into blocks; of each clip `per_clip` examples are drawn as raw bytes, the
    block's examples are shuffled, and each is decoded when its turn comes. While one block is given out, the next one
    is read, a few clips at a time, so that a whole block is never waited for. Block, order and every random number are
    functions of (seed, slot, row): the stream can begin at any row. In the place of a broken example stands the next
    whole one of its block.

    Args:
        shards: The data set's shards.
        draw: Draws the examples.
        seed: Of everything random.
        slot: Whose stream.
        slots: Workers over all ranks.
        buffer: Examples in a block.
        broken: Counts what could not be read.
    """

    def __init__(
        self, shards: ShardSet, draw: Draw[Any], seed: str, slot: int, slots: int, buffer: int, broken: Broken
    ):
        self.shards = shards
        self.draw = draw
        self.seed = f"{seed}/{slot}"
        self.order = ClipOrder(shards.counts, seed, slot, slots)
        # No fewer: in the place of a broken clip stands another one of its block.
        self.clips_per_block = max(MIN_BLOCK, buffer // draw.per_clip)
        self.rows_per_block = self.clips_per_block * draw.per_clip
        self.broken = broken

    def rows(self, start: int) -> Iterator[Fill]:
        """What fills row `start`, the next one, and so on; each is called before the next one is asked for."""
        block, first = divmod(start, self.rows_per_block)
        clips = self._clips(block * self.clips_per_block)
        examples = self._next(clips, self.clips_per_block)
        while True:
            order = generator(self.seed, "block", block).permutation(self.rows_per_block).tolist()
            ahead: list[Drawn] = []
            for row in range(first, self.rows_per_block):
                yield functools.partial(self._fill, examples, order, row)
                done = (row + 1 - first) * self.clips_per_block // (self.rows_per_block - first)
                missing = done - len(ahead) // self.draw.per_clip
                if missing >= READ_TOGETHER or row + 1 == self.rows_per_block:
                    ahead += self._next(clips, missing)
            block, first, examples = block + 1, 0, ahead

    def _next(self, clips: Iterator[list[Drawn]], count: int) -> list[Drawn]:
        return list(itertools.chain.from_iterable(itertools.islice(clips, count)))

    def _fill(self, examples: list[Drawn], order: list[int], row: int, batcher: Batcher) -> bool:
        for offset in range(len(order)):
            index = order[(row + offset) % len(order)]
            drawn = examples[index]
            if drawn.example is None:
                continue
            try:
                drawn.example.decode(batcher)
                return True
            except ShardError as error:
                batcher.drop_row()
                examples[index] = drawn.failed(error)
                self.broken.add(_naming(drawn.url, error), drawn.url, drawn.clip)
        raise ShardError(f"every clip of {len(examples)} in a row is broken; one: {examples[0].error}")

    def _clips(self, start: int) -> Iterator[list[Drawn]]:
        """The examples of the slot's clip `start`, of the next one, and so on."""
        number = start
        for run in self.order.runs(start):
            url, count = self.shards.urls[run.shard], int(self.shards.counts[run.shard])
            clips = read_clips(url, self.shards.local, count, run.start, run.stop)
            for place, clip in enumerate(clips, start=run.start):
                yield self._examples(clip, number, url, place)
                number += 1

    def _examples(self, clip: Sample | ShardError, number: int, url: str, place: int) -> list[Drawn]:
        try:
            if isinstance(clip, ShardError):
                raise clip
            rng = random.Random(f"{self.seed}/{number}")
            return [Drawn(example, None, url, place) for example in self.draw.train(clip, rng)]
        except ShardError as error:
            self.broken.add(_naming(url, error), url, place)
            return [Drawn(None, _naming(url, error), url, place)] * self.draw.per_clip


class TrainStream(IterableDataset):
    """An endless stream of batches of random rows from one data set or a weighted mixture of several.

    **What is promised.** The same seed, number of ranks, number of workers, batch size and shards give the same
    batches, and the stream goes on at batch k as if it had run there, for every k (`start`): nothing is repeated,
    nothing left out. Every epoch of a data set reads each of its clips once, in one of the slots. Another number of
    ranks or workers gives another order.

    Worker w of N gives the loader's batches w, w + N, ...; after k batches the first worker is the k-th, whoever that
    is, so positions are computed and no worker's state is stored.

    Args:
        sets: The data sets' shards.
        weights: Their shares of the rows.
        draw: Draws the examples.
        seed: Of everything random.
        rank: Of this process among those that train together.
        world: How many those are.
        batch_size: Rows in a batch.
        buffer: Examples that wait to be shuffled, over all data sets together.
        max_broken: Broken samples that a worker may pass over before it ends the training.

    Attributes:
        start: Batches that this rank has had; read when an iteration begins, in shared memory.
    """

    def __init__(
        self,
        sets: list[ShardSet],
        weights: list[float],
        draw: Draw[Any],
        seed: str,
        rank: int = 0,
        world: int = 1,
        batch_size: int = 1,
        buffer: int = 512,
        max_broken: int = 0,
    ):
        super().__init__()
        self.sets = sets
        self.weights = weights
        self.draw = draw
        self.seed = seed
        self.rank = rank
        self.world = world
        self.batch_size = batch_size
        self.buffer = buffer
        self.max_broken = max_broken
        self.start = torch.zeros((), dtype=torch.int64).share_memory_()

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        workers = info.num_workers if info is not None else 1
        start = int(self.start)
        worker = ((info.id if info is not None else 0) + start) % workers
        slot, slots = self.rank * workers + worker, self.world * workers
        row = math.ceil((start - worker) / workers) * self.batch_size
        return batches(self._rows(slot, slots, row), self.batch_size, self.draw.complete)

    def _rows(self, slot: int, slots: int, row: int) -> Iterator[Fill]:
        broken = Broken(self.max_broken)
        total = sum(self.weights)
        streams = [
            ExampleStream(
                shards, self.draw, f"{self.seed}/{number}", slot, slots, math.ceil(self.buffer * weight / total), broken
            )
            for number, (shards, weight) in enumerate(zip(self.sets, self.weights, strict=True))
        ]
        mixture = Mixture(self.weights, self.seed, slot)
        rows = [stream.rows(first) for stream, first in zip(streams, mixture.rows_before(row), strict=True)]
        for choice in mixture.choices(row):
            yield next(rows[choice])


def as_it_is(batch: Any) -> Any:
    """What a loader does to a batch that is one already."""
    return batch


class TrainLoader(DataLoader):
    """A loader whose every iteration begins at the batch that is next.

    Args:
        stream: What it loads.
        batches_done: Gives the number of batches that this rank has had.
        options: Of the `DataLoader`.
    """

    def __init__(self, stream: TrainStream, batches_done: Callable[[], int] = lambda: 0, **options: Any):
        super().__init__(stream, batch_size=None, collate_fn=as_it_is, **options)
        self.batches_done = batches_done

    def __iter__(self) -> Any:
        self.dataset.start.fill_(self.batches_done())  # type: ignore[attr-defined]
        return super().__iter__()


class EvaluationStream(IterableDataset):
    """Batches of every clip's examples, each exactly once over all ranks and workers, in the order of the shards.

    Rank r of W takes every W-th example: the ranks' numbers differ by one at most, and nothing is filled up. Shards
    that are no local files are read whole by every worker of every rank.

    Args:
        sets: The data sets' shards.
        draw: Draws the examples.
        seed: Of the choice of frames and windows.
        per_clip: Examples of each clip.
        rank: Of this process.
        world: Processes that evaluate together.
        batch_size: Rows in a batch; keeps the order for any number of workers.
        max_broken: Broken samples that a worker may leave out before it is an error; each is logged.
    """

    def __init__(
        self,
        sets: list[ShardSet],
        draw: Draw[Any],
        seed: int,
        per_clip: int = 1,
        rank: int = 0,
        world: int = 1,
        batch_size: int = 1,
        max_broken: int = 0,
    ):
        super().__init__()
        self.sets = sets
        self.draw = draw
        self.seed = seed
        self.per_clip = per_clip
        self.rank = rank
        self.world = world
        self.batch_size = batch_size
        self.max_broken = max_broken

    def __len__(self) -> int:
        """Batches of this rank."""
        return math.ceil(self.examples / self.batch_size)

    @property
    def examples(self) -> int:
        """Of this rank."""
        total = self.per_clip * sum(int(shards.counts.sum()) for shards in self.sets)
        return len(range(self.rank, total, self.world))

    def __iter__(self) -> Iterator[Batch]:
        return batches(self._rows(), self.batch_size, self.draw.complete)

    def _rows(self) -> Iterator[Fill]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        broken = Broken(self.max_broken)
        before = 0
        for shards in self.sets:
            for url, count in zip(shards.urls, shards.counts.tolist(), strict=True):
                wanted = self._wanted(before * self.per_clip, (before + count) * self.per_clip, worker, workers)
                yield from self._shard(shards, url, count, before, wanted, broken)
                before += count

    def _wanted(self, start: int, stop: int, worker: int, workers: int) -> list[int]:
        """Of the examples `start` to `stop` - 1 of all, those of this rank and worker."""
        first = start + (self.rank - start) % self.world
        return [
            index
            for index in range(first, stop, self.world)
            if (index // self.world) // self.batch_size % workers == worker
        ]

    def _shard(
        self, shards: ShardSet, url: str, count: int, before: int, wanted: list[int], broken: Broken
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
        self, clip: Sample | ShardError, example: int, url: str, place: int, broken: Broken, batcher: Batcher
    ) -> bool:
        try:
            if isinstance(clip, ShardError):
                raise clip
            rng = random.Random(f"{self.seed}/{clip.key}/{example}")
            self.draw.evaluate(clip, example, rng).decode(batcher)
            return True
        except ShardError as error:
            batcher.drop_row()
            broken.add(_naming(url, error), url, place)
            return False
