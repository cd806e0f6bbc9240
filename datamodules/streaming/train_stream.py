"""The endless stream of training batches, and the loader that begins it at the next batch."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from datamodules.shards.sources import ShardSet
from datamodules.streaming.batching import Batch, Fill, batches, unchanged
from datamodules.streaming.clip_order import Mixture
from datamodules.streaming.example_stream import ExampleStream
from datamodules.streaming.sampling import BrokenClipCounter, ClipSampler


class TrainStream(IterableDataset):
    """An endless stream of batches of random rows from one data set or a weighted mixture of several.

    **Order.** The same seed, number of ranks, number of workers, batch size and shards give the same batches. A stream
    that begins at batch k (`start`) gives what one that ran there would give: nothing is repeated, nothing left out.
    Every epoch of a data set reads each of its clips once, in one of the slots. Another number of ranks or workers
    gives another order.

    Worker w of N gives the loader's batches w, w + N, ...; a loader that begins at batch k begins with worker k mod N
    in the place of worker 0, so positions are computed and no worker's state is stored.

    Args:
        sets: The data sets' shards.
        weights: The data sets' shares of the rows.
        sampler: Chooses the examples.
        seed: Seed of all random choices.
        rank: Rank of this process.
        world: Number of processes that train together.
        batch_size: Rows in a batch.
        buffer: Examples held and shuffled together, over all data sets.
        max_broken: Broken samples that each worker may skip; one more ends the training.

    Attributes:
        start: Batches that this rank has had, in shared memory; read when an iteration begins.
    """

    def __init__(
        self,
        sets: list[ShardSet],
        weights: list[float],
        sampler: ClipSampler[Any],
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
        self.sampler = sampler
        self.seed = seed
        self.rank = rank
        self.world = world
        self.batch_size = batch_size
        self.buffer = buffer
        self.max_broken = max_broken
        self.start = torch.zeros((), dtype=torch.int64).share_memory_()

    def __iter__(self) -> Iterator[Batch]:
        # The slot and row that batch `start` falls on.
        info = get_worker_info()
        workers = info.num_workers if info is not None else 1
        start = int(self.start)
        worker = ((info.id if info is not None else 0) + start) % workers
        slot, slots = self.rank * workers + worker, self.world * workers
        row = math.ceil((start - worker) / workers) * self.batch_size
        return batches(self._rows(slot, slots, row), self.batch_size, self.sampler.collate)

    def _rows(self, slot: int, slots: int, row: int) -> Iterator[Fill]:
        broken = BrokenClipCounter(self.max_broken)
        total = sum(self.weights)
        streams = [
            ExampleStream(
                shards,
                self.sampler,
                f"{self.seed}/{number}",
                slot,
                slots,
                math.ceil(self.buffer * weight / total),
                broken,
            )
            for number, (shards, weight) in enumerate(zip(self.sets, self.weights, strict=True))
        ]
        mixture = Mixture(self.weights, self.seed, slot)
        rows = [stream.rows(first) for stream, first in zip(streams, mixture.rows_before(row), strict=True)]
        for choice in mixture.choices(row):
            yield next(rows[choice])


class TrainLoader(DataLoader):
    """A loader that begins each iteration at the next batch.

    Args:
        stream: The stream of batches.
        batches_done: Returns the number of batches that this rank has had.
        options: Options of the `DataLoader`.
    """

    def __init__(self, stream: TrainStream, batches_done: Callable[[], int] = lambda: 0, **options: Any):
        super().__init__(stream, batch_size=None, collate_fn=unchanged, **options)
        self.batches_done = batches_done

    def __iter__(self) -> Any:
        self.dataset.start.fill_(self.batches_done())  # type: ignore[attr-defined]
        return super().__iter__()
