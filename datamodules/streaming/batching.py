"""Batches whose rows are decoded straight into place.

Stacking pictures at the end, as torch's `default_collate` does, reads them back from main memory and writes them again,
which costs a tenth of the decoding.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from datamodules.shards.errors import MixtureError

Batch = dict[str, Any]
"""Tensors (B, ...) and lists of strings, by name."""


class Batcher:
    """A batch that is filled row by row; every row has the same names, types and shapes.

    Args:
        size: Rows in a batch.
    """

    def __init__(self, size: int):
        self.size = size
        self.count = 0
        self._tensors: dict[str, Tensor] = {}
        self._columns: dict[str, Any] = {}
        """Lists of strings, and arrays over the tensors' memory."""
        self._filled: set[str] = set()
        """Names in the row that is being filled."""
        self._names: set[str] = set()
        """Names that every row has."""

    def place(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """The place of an array in the row that is being filled.

        Raises:
            MixtureError: The rows before it have another type or shape.
        """
        column = self._columns.get(name)
        if column is None:
            self._tensors[name] = new_tensor((self.size, *shape), dtype)
            column = self._columns[name] = self._tensors[name].numpy()
        elif column.shape[1:] != shape or column.dtype.type is not dtype:
            raise MixtureError(
                f"{name} is {dtype.__name__} {shape}, others of its batch {column.dtype} {column.shape[1:]}: the mixed "
                "data sets do not hold the same members"
            )
        self._filled.add(name)
        return column[self.count]

    def put(self, name: str, value: str | np.ndarray | np.generic) -> None:
        """Put a string, an array or a NumPy number into the row that is being filled."""
        if isinstance(value, str):
            self._columns.setdefault(name, [""] * self.size)[self.count] = value
            self._filled.add(name)
        else:
            self.place(name, value.shape, value.dtype.type)
            self._columns[name][self.count] = value

    def next_row(self) -> None:
        """End the row.

        Raises:
            MixtureError: The rows before it have other names.
        """
        if not self.count:
            self._names = self._filled
        elif self._filled != self._names:
            raise MixtureError(
                f"sample {self._columns['key'][self.count]!r} gives {sorted(self._filled)}, others of its batch "
                f"{sorted(self._names)}: the mixed data sets do not hold the same members"
            )
        self.count += 1
        self._filled = set()

    def drop_row(self) -> None:
        """Begin the row again."""
        # A name that only the dropped row had is no column of the batch.
        for name in self._filled - self._names:
            self._columns.pop(name)
            self._tensors.pop(name, None)
        self._filled = set()

    def batch(self) -> Batch:
        """The rows so far."""
        return {name: self._tensors.get(name, column)[: self.count] for name, column in self._columns.items()}


Fill = Callable[[Batcher], bool]
"""Decodes one row into its place; False: the row is left out."""


def batches(rows: Iterator[Fill], size: int, collate: Callable[[Batch], Batch]) -> Iterator[Batch]:
    """Group rows into batches of `size`; the last one may be smaller.

    Args:
        rows: Functions that each fill a row.
        size: Rows in a batch.
        collate: Adds the entries that are computed for all rows together.
    """
    batcher = Batcher(size)
    for fill in rows:
        if fill(batcher):
            batcher.next_row()
        if batcher.count == size:
            yield collate(batcher.batch())
            batcher = Batcher(size)
    if batcher.count:
        yield collate(batcher.batch())


def new_tensor(shape: tuple[int, ...], dtype: type[np.generic] = np.float32) -> Tensor:
    """An unfilled tensor for a batch; a loader's worker allocates it in memory shared with the training process.

    A tensor in other memory would be copied there when the batch is sent.
    """
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    if get_worker_info() is None:
        return torch.empty(shape, dtype=kind)
    storage = torch.UntypedStorage._new_shared(max(1, math.prod(shape)) * kind.itemsize)
    return torch.empty(0, dtype=kind).set_(storage, 0, shape)  # type: ignore[call-overload]


def unchanged(batch: Any) -> Any:
    """The batch itself: the `collate_fn` of loaders whose data set gives whole batches."""
    return batch
