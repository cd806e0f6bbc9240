"""The endless stream of shuffled examples that one worker reads from one data set."""

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSet
from datamodules.streaming.batching import Batcher, Fill
from datamodules.streaming.clip_order import ClipOrder, generator
from datamodules.streaming.sampling import BrokenClipCounter, ClipSampler, Example, naming_shard

MIN_BLOCK = 16
"""Clips in a block, at least."""
READ_TOGETHER = 8
"""Clips read in one go: reading one at a time between the decoding of pictures made frame pairs a twentieth slower."""


@dataclass(slots=True)
class SampledExample:
    """An example, or the reason why its clip gave none, with its place."""

    example: Example | None
    error: ShardError | None
    url: str
    clip: int
    """The clip's number in its shard."""

    def failed(self, error: ShardError) -> "SampledExample":
        """The same place without an example; the error names the shard."""
        return SampledExample(None, naming_shard(self.url, error), self.url, self.clip)


class ExampleStream:
    """One slot's endless stream of examples from one data set.

    The slot's clips (`ClipOrder`) are cut into blocks. Each clip gives `per_clip` examples as raw bytes, the block's
    examples are shuffled, and each is decoded when its turn comes. While one block is given out, the next one is read a
    few clips at a time, so that no batch waits for a whole block. Block, order and every random number are functions of
    (seed, slot, row): the stream can begin at any row. A broken example is replaced by the next whole one of its block.

    Args:
        shards: The data set's shards.
        sampler: Chooses the examples.
        seed: Seed of all random choices.
        slot: Number of the slot.
        slots: Number of workers over all ranks.
        buffer: Examples in a block.
        broken: Counts the clips that cannot be read.
    """

    def __init__(
        self,
        shards: ShardSet,
        sampler: ClipSampler[Any],
        seed: str,
        slot: int,
        slots: int,
        buffer: int,
        broken: BrokenClipCounter,
    ):
        self.shards = shards
        self.sampler = sampler
        self.seed = f"{seed}/{slot}"
        self.order = ClipOrder(shards.counts, seed, slot, slots)
        # Not fewer: a broken clip is replaced by another one of its block.
        self.clips_per_block = max(MIN_BLOCK, buffer // sampler.per_clip)
        self.rows_per_block = self.clips_per_block * sampler.per_clip
        self.broken = broken

    def rows(self, start: int) -> Iterator[Fill]:
        """The functions that fill row `start` and all rows after it; each is called before the next is asked for."""
        block, first = divmod(start, self.rows_per_block)
        clips = self._clips(block * self.clips_per_block)
        examples = self._next(clips, self.clips_per_block)
        while True:
            # Give the block out in random order, and read the next one as far as the rows given out pay for it.
            order = generator(self.seed, "block", block).permutation(self.rows_per_block).tolist()
            ahead: list[SampledExample] = []
            for row in range(first, self.rows_per_block):
                yield functools.partial(self._fill, examples, order, row)
                done = (row + 1 - first) * self.clips_per_block // (self.rows_per_block - first)
                missing = done - len(ahead) // self.sampler.per_clip
                if missing >= READ_TOGETHER or row + 1 == self.rows_per_block:
                    ahead += self._next(clips, missing)
            block, first, examples = block + 1, 0, ahead

    def _next(self, clips: Iterator[list[SampledExample]], count: int) -> list[SampledExample]:
        return list(itertools.chain.from_iterable(itertools.islice(clips, count)))

    def _fill(self, examples: list[SampledExample], order: list[int], row: int, batcher: Batcher) -> bool:
        # Try the row's own example, then those behind it.
        for offset in range(len(order)):
            index = order[(row + offset) % len(order)]
            sampled = examples[index]
            if sampled.example is None:
                continue
            try:
                sampled.example.decode(batcher)
                return True
            except ShardError as error:
                batcher.drop_row()
                examples[index] = sampled.failed(error)
                self.broken.add(naming_shard(sampled.url, error), sampled.url, sampled.clip)
        raise ShardError(f"all of {len(examples)} examples in a row are broken; the first: {examples[0].error}")

    def _clips(self, start: int) -> Iterator[list[SampledExample]]:
        """The examples of the slot's clip `start` and of all clips after it."""
        number = start
        for run in self.order.runs(start):
            url, count = self.shards.urls[run.shard], int(self.shards.counts[run.shard])
            clips = read_clips(url, self.shards.local, count, run.start, run.stop)
            for place, clip in enumerate(clips, start=run.start):
                yield self._examples(clip, number, url, place)
                number += 1

    def _examples(self, clip: Sample | ShardError, number: int, url: str, place: int) -> list[SampledExample]:
        try:
            if isinstance(clip, ShardError):
                raise clip
            rng = random.Random(f"{self.seed}/{number}")
            return [SampledExample(example, None, url, place) for example in self.sampler.train(clip, rng)]
        except ShardError as error:
            self.broken.add(naming_shard(url, error), url, place)
            return [SampledExample(None, naming_shard(url, error), url, place)] * self.sampler.per_clip
