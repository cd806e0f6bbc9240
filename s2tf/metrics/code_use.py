"""Use of a codebook."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.nn.quantiser import perplexity


class CodeUse(Metric):
    """Perplexity of the use of codes: 1 if only one is used, the number of codes if all are used equally.

    Args:
        codes: The number of codes.

    Example:
        >>> metric = CodeUse(4)
        >>> metric.update(torch.tensor([[0, 1], [1, 0]]))
        >>> round(float(metric.compute()), 3)
        2.0
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, codes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("counts", torch.zeros(codes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, indices: Tensor) -> None:
        """Adds chosen codes, in a tensor of any shape."""
        self.counts += indices.flatten().bincount(minlength=len(self.counts))

    def compute(self) -> Tensor:
        """The perplexity, ()."""
        return perplexity(self.counts.double() / self.counts.sum())
