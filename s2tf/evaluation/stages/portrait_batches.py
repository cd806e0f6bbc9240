"""Batches of an evaluation of SCFP, which several processes divide: planned before any picture is decoded."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datamodules.shards.samples import Sample
from datamodules.shards.writing import read_split
from s2tf.evaluation.stages.portrait_rows import PortraitTest
from s2tf.evaluation.videos.pipeline_clips import checksums_of


@dataclass(frozen=True)
class PlannedBatch:
    """Test clips whose portraits are generated together."""

    number: int
    """Number among the batches of the data module."""
    keys: list[str]
    varied: list[int]
    """Rows whose speech gets several portraits."""
    pictures: int
    """Number of the first rows whose portraits are written as pictures."""
    version: str
    """Hash of everything about the batch on which its readings depend; a record of another version is not used."""

    @property
    def name(self) -> str:
        """Key of its record."""
        return f"{self.number:06d}"


def plan_batches(data: Any, test: PortraitTest) -> list[PlannedBatch]:
    """Plan the batches of all processes; only the clips' records are read.

    Args:
        data: The data module of the run.
        test: The portraits to generate.

    Raises:
        FileNotFoundError: The data have no test clip.
        ShardError: A clip cannot be read.
    """
    clips = islice(_test_clips(data), test.clips)
    people: set[tuple[str, str]] = set()
    planned: list[PlannedBatch] = []
    done = 0
    while samples := list(islice(clips, test.batch)):
        # The first clip of each of the first speakers gets several portraits.
        varied = []
        for row, sample in enumerate(samples):
            who = sample.record.dataset, sample.record.identity
            if who not in people and len(people) < test.varied and test.seeds > 1:
                varied.append(row)
            people.add(who)
        pictures = min(max(0, test.pictures - done), len(samples))
        keys, version = [one.key for one in samples], _version(samples, varied, pictures)
        planned.append(PlannedBatch(len(planned), keys, varied, pictures, version))
        done += len(samples)
    if not planned:
        raise FileNotFoundError("the data have no test clip, expected one or more")
    return planned


def _test_clips(data: Any) -> Iterator[Sample]:
    """Yield the test clips in the order in which the data module batches them."""
    for source in data.sources:
        yield from read_split(source.source, "test")


def _version(samples: list[Sample], varied: list[int], pictures: int) -> str:
    clips = [[one.key, checksums_of(one), one.record.attributes] for one in samples]
    text = json.dumps([clips, varied, pictures], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
