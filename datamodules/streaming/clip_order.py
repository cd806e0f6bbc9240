"""The order of training, a pure function of seed and position: a stream can begin anywhere without stored state.

A *slot* is one worker of one rank. The shards form an endless sequence, one shuffled epoch after the other; slot s of S
reads its elements s, s + S, s + 2 S, ... Every epoch thus gives each shard to exactly one slot, and any number of slots
works with any number of shards.
"""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CHUNK = 4096
"""Rows whose data set is chosen together."""


def generator(*key: object) -> np.random.Generator:
    """Return a random generator that depends only on the key, in every process and on every machine."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class Run:
    """Clips `start` to `stop` - 1 of a shard, given by its number."""

    shard: int
    start: int
    stop: int


class ClipOrder:
    """The endless sequence of clips that one slot reads.

    Args:
        counts: Clips in each shard, (n,); not all zero.
        seed: Seed for the shuffling of epochs.
        slot: Number of this slot, 0 to slots - 1.
        slots: Number of slots over all ranks.
    """

    def __init__(self, counts: np.ndarray, seed: str, slot: int, slots: int):
        if not counts.sum() > 0:
            raise ValueError("no clips in the shards")
        self.counts = counts
        self.seed = seed
        self.slot = slot
        self.slots = slots

    def runs(self, start: int) -> Iterator[Run]:
        """Clip `start` of the sequence and all that follow it, endlessly."""
        before = 0
        for epoch in itertools.count():
            shards = self._shards(epoch)
            sizes = self.counts[shards]
            if before + sizes.sum() <= start:
                before += int(sizes.sum())
                continue
            for shard, size in zip(shards.tolist(), sizes.tolist(), strict=True):
                skipped = max(0, start - before)
                if skipped < size:
                    yield Run(shard, skipped, size)
                before += size

    def _shards(self, epoch: int) -> np.ndarray:
        """The slot's shards in an epoch."""
        n = len(self.counts)
        first = (self.slot - epoch * n) % self.slots
        return generator(self.seed, "epoch", epoch).permutation(n)[first :: self.slots]


class Mixture:
    """The data set of each row of a slot's stream: independent choices by weight, countable from any row.

    Args:
        weights: Positive weights of the data sets; they need not sum to 1.
        seed: Seed for the choices.
        slot: Number of the slot.
    """

    def __init__(self, weights: list[float], seed: str, slot: int):
        self.bounds = np.cumsum(weights) / np.sum(weights)
        self.bounds[-1] = 1.0
        self.seed = seed
        self.slot = slot

    def rows_before(self, row: int) -> list[int]:
        """The number of rows before `row` that come from each data set."""
        result = np.zeros(len(self.bounds), np.int64)
        if len(self.bounds) == 1:
            return [row]
        for chunk in range(-(-row // CHUNK)):
            result += np.bincount(self._chunk(chunk)[: row - chunk * CHUNK], minlength=len(self.bounds))
        return result.tolist()

    def choices(self, row: int) -> Iterator[int]:
        """The data sets of `row` and all rows after it, endlessly."""
        chunk, offset = divmod(row, CHUNK)
        while True:
            yield from self._chunk(chunk)[offset:].tolist()
            chunk, offset = chunk + 1, 0

    def _chunk(self, chunk: int) -> np.ndarray:
        shares = generator(self.seed, "mixture", self.slot, chunk).random(CHUNK)
        return np.searchsorted(self.bounds, shares, side="right")
