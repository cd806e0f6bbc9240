"""How many codes of a codebook are in use."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.nn.quantiser import perplexity


class CodeUse(Metric):
    """The perplexity of the codes' use over all that was seen: 1 where one is used, their number where all equally.

    Args:
        codes: how many there are.
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, codes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("counts", torch.zeros(codes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, indices: Tensor) -> None:
        """Add chosen codes, of any shape."""
        self.counts += indices.flatten().bincount(minlength=len(self.counts))

    def compute(self) -> Tensor:
        """The perplexity, ()."""
        return perplexity(self.counts.double() / self.counts.sum())
