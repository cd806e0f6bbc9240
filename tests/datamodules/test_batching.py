"""Rows into batches: every value at its place, and what does not fit together is said."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from datamodules.batching import batches
from datamodules.errors import ShardError


def rows(count):
    for number in range(count):
        picture = np.full((2, 2, 3), number, np.uint8)
        yield {"key": f"clip-{number}", "picture": picture, "number": np.int64(number), "age": np.float32(number / 2)}


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


def test_rows_of_different_members_are_refused():
    mixed = [*rows(1), {**next(rows(1)), "motion": np.zeros(3, np.float32)}]
    with pytest.raises(ShardError, match="'clip-0' gives .*'motion'.* do not hold the same members"):
        list(batches(iter(mixed), 2, doubled))
