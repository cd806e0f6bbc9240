"""Rows into batches: every value at its place, and what does not fit together is said."""

import functools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from datamodules.shards.errors import MixtureError
from datamodules.streaming.batching import batches


def fill(number, batcher, *, broken=(), sound=False):
    batcher.put("key", f"clip-{number}")
    batcher.place("picture", (2, 2, 3), np.uint8)[...] = number
    if number in broken:
        batcher.drop_row()
        return False
    batcher.put("number", np.int64(number))
    batcher.put("age", np.float32(number / 2))
    if sound:
        batcher.put("sound", np.zeros(3, np.float32))
    return True


def rows(count, **options):
    return (functools.partial(fill, number, **options) for number in range(count))


def doubled(batch):
    return {**batch, "double": batch["number"] * 2}


class Rows(IterableDataset):
    def __iter__(self):
        return batches(rows(5), 2, doubled)


@pytest.mark.parametrize("workers", [0, 1])
def test_rows_keep_their_order_and_types_and_the_last_batch_is_smaller(workers):
    given = list(DataLoader(Rows(), batch_size=None, num_workers=workers))
    assert [batch["key"] for batch in given] == [["clip-0", "clip-1"], ["clip-2", "clip-3"], ["clip-4"]]
    joined = {name: torch.cat([batch[name] for batch in given]) for name in ("picture", "number", "age", "double")}
    numbers = torch.arange(5)
    assert torch.equal(joined["picture"], numbers.to(torch.uint8)[:, None, None, None].expand(5, 2, 2, 3))
    assert torch.equal(joined["number"], numbers)
    assert torch.equal(joined["double"], 2 * numbers)
    assert torch.equal(joined["age"], numbers / 2)


def test_a_batch_given_is_not_written_to_again():
    given = list(batches(rows(6), 2, doubled))
    assert [batch["number"].tolist() for batch in given] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("broken", "left"), [((0, 3), [[1, 2], [4, 5]]), ((5,), [[0, 1], [2, 3], [4]]), (range(6), [])]
)
def test_rows_that_are_dropped_leave_no_gap(broken, left):
    given = list(batches(rows(6, broken=broken), 2, doubled))
    assert [batch["number"].tolist() for batch in given] == left
    assert [batch["picture"][:, 0, 0, 0].tolist() for batch in given] == left


def test_rows_of_different_members_or_shapes_are_refused():
    mixed = [functools.partial(fill, 0), functools.partial(fill, 1, sound=True)]
    for order in (mixed, mixed[::-1]):
        with pytest.raises(MixtureError, match="'clip-[01]' gives .*, others of its batch .* the same members"):
            list(batches(iter(order), 2, doubled))
    codes = [lambda batcher, dim=dim: batcher.put("motion", np.zeros(dim, np.float32)) or True for dim in (3, 4)]
    with pytest.raises(MixtureError, match=r"motion is float32 \(4,\), others of its batch float32 \(3,\)"):
        list(batches(iter(codes), 2, dict))


def test_what_only_a_dropped_row_had_is_no_part_of_the_batch():
    def broken(batcher):
        batcher.put("motion", np.zeros(3, np.float32))
        batcher.drop_row()
        return False

    for order in ([broken, *rows(2)], [next(rows(1)), broken, next(rows(1))]):
        (batch,) = batches(iter(order), 2, dict)
        assert batch.keys() == {"key", "picture", "number", "age"}
    with pytest.raises(MixtureError, match="number is float32"):
        list(batches(iter([*rows(1), lambda batcher: batcher.put("number", np.float32(1.7)) or True]), 2, dict))
