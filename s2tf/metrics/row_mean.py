"""A mean over rows that come in batches of any size, in any number of processes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class RowMean(Metric):
    """The mean of batches' means, each counting as its rows.

    Instead of torchmetrics' `MeanMetric`, which leaves NaN out of the mean, or (1.9) the rows where it must not.
    """

    full_state_update = False
    total: Tensor
    rows: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("rows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, mean: Tensor, rows: int) -> None:
        """Add the mean of a batch."""
        self.total += mean.double() * rows
        self.rows += rows

    def compute(self) -> Tensor:
        """The mean over all rows, () float32."""
        return (self.total / self.rows).float()
