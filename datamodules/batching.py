"""Batches: each row copied to its place while the processor's cache still holds it.

Stacking a whole batch's pictures at the end, as torch's `default_collate` does, reads them back from main memory,
which costs a tenth of their decoding.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from datamodules.errors import ShardError

Row = dict[str, Any]
"""By the batch's names: strings, arrays or NumPy's numbers; the same names, types and shapes in every row."""


def batches(rows: Iterator[Row], size: int, complete: Callable[[Row], Row]) -> Iterator[Row]:
    """Rows in batches of `size`, the last one perhaps smaller; arrays become tensors (B, ...), strings lists.

    Args:
        rows: What is put together.
        size: Rows in a batch.
        complete: Adds what is computed for all rows at once.
    """
    while True:
        buffer = BatchBuffer(size)
        for row in itertools.islice(rows, size):
            buffer.add(row)
        if not buffer.count:
            return
        yield complete(buffer.batch())


class BatchBuffer:
    """A batch that is filled row by row."""

    def __init__(self, size: int):
        self.size = size
        self.count = 0
        self._tensors: dict[str, Tensor] = {}
        self._columns: dict[str, Any] = {}
        """Lists of strings, and arrays over the tensors' memory."""

    def add(self, row: Row) -> None:
        """Copy a row to its place.

        Raises:
            ShardError: It has other names than the rows before it.
        """
        if not self.count:
            self._allocate(row)
        if row.keys() != self._columns.keys():
            raise ShardError(
                f"sample {row.get('key')!r} gives {sorted(row)}, but others of its batch {sorted(self._columns)}: "
                "the mixed data sets do not hold the same members"
            )
        for name, value in row.items():
            self._columns[name][self.count] = value
        self.count += 1

    def batch(self) -> Row:
        """The rows so far."""
        return {name: self._tensors.get(name, column)[: self.count] for name, column in self._columns.items()}

    def _allocate(self, row: Row) -> None:
        for name, value in row.items():
            if isinstance(value, str):
                self._columns[name] = [""] * self.size
            else:
                dtype = torch.from_numpy(np.empty(0, value.dtype)).dtype
                self._tensors[name] = new_tensor((self.size, *value.shape), dtype)
                self._columns[name] = self._tensors[name].numpy()


def new_tensor(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """An unfilled tensor for a batch; in a loader's worker in memory that the training process shares.

    What is not there yet would be copied there when the batch is sent.
    """
    if get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    storage = torch.UntypedStorage._new_shared(max(1, math.prod(shape)) * dtype.itemsize)
    return torch.empty(0, dtype=dtype).set_(storage, 0, shape)  # type: ignore[call-overload]
