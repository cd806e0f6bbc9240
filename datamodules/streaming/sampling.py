"""The samplers that turn clips into examples, and the count of clips that cannot be read."""

import logging
import random
from typing import Protocol, TypeVar

from datamodules.shards.errors import ShardError
from datamodules.shards.samples import Sample
from datamodules.streaming.batching import Batch, Batcher

log = logging.getLogger(__name__)


class Example(Protocol):
    """The content of one row of a batch: bytes taken from a clip, not yet decoded."""

    def decode(self, batcher: Batcher) -> None:
        """Fill a row of the batch.

        Raises:
            ShardError: A part of the example cannot be decoded; the row may be half filled then.
        """


E = TypeVar("E", bound=Example)


class ClipSampler(Protocol[E]):
    """Chooses examples from clips; picklable, since it is sent to the loader's workers."""

    @property
    def per_clip(self) -> int:
        """Examples that training takes from a clip each time it reads it."""

    def train(self, sample: Sample, rng: random.Random) -> list[E]:
        """`per_clip` random examples of a clip."""

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> E:
        """Example `number` of a clip, the same in every run; `rng` is seeded by seed, clip and number."""

    def collate(self, batch: Batch) -> Batch:
        """Add the entries that are computed for all rows together, in the loader's worker."""


class BrokenClipCounter:
    """Counts the clips that cannot be read, and ends the training at the first one above the limit.

    Args:
        limit: Broken clips that this process may skip.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._known: set[tuple[str, int]] = set()

    def add(self, error: ShardError, url: str, clip: int) -> None:
        """Count and log a broken clip, once however often it is met.

        Args:
            error: The reason why it cannot be read.
            url: The shard that holds it.
            clip: Its number in the shard.

        Raises:
            ShardError: More clips are broken than the limit allows.
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
        log.warning("skipped broken sample %d of at most %d: %s", count, self.limit, error)


def naming_shard(url: str, error: ShardError) -> ShardError:
    """The error with its shard in front, unless its message begins with it already."""
    text = str(error)
    return error if text.startswith(url) else ShardError(f"{url}: {text}")
