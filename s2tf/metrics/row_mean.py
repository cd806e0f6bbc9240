"""A mean over rows that come in batches of any size, in any number of processes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class RowMean(Metric):
    """The mean of batches' means, weighted by their rows.

    It replaces torchmetrics' `MeanMetric`, which leaves out NaN, or (in version 1.9) even valid rows.

    Example:
        >>> metric = RowMean()
        >>> metric.update(torch.tensor(1.0), rows=3)
        >>> metric.update(torch.tensor(5.0), rows=1)
        >>> float(metric.compute())
        2.0
    """

    full_state_update = False
    total: Tensor
    rows: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("rows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, mean: Tensor, rows: int) -> None:
        """Adds the mean of a batch."""
        self.total += mean.double() * rows
        self.rows += rows

    def compute(self) -> Tensor:
        """The mean over all rows, () float32."""
        return (self.total / self.rows).float()
