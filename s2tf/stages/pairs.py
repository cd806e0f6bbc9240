"""Pairs of speech and face embeddings of a whole validation set."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

ROWS_AT_ONCE = 1024
"""Rows compared with all others at a time, so that memory does not grow with the square of their number."""


class Pairs(Metric):
    """Collects the pairs of all batches and ranks.

    Comparing within batches instead would make a speech find its face more easily in small batches.
    """

    full_state_update = False
    z_s: list[Tensor]
    z_f: list[Tensor]
    identity: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("z_s", "z_f", "identity"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, z_s: Tensor, z_f: Tensor, identity: Tensor) -> None:
        """Add pairs, (B, d), (B, d) and (B,)."""
        self.z_s.append(z_s.detach())
        self.z_f.append(z_f.detach())
        self.identity.append(identity)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """All pairs, (N, d), (N, d) and (N,)."""
        return dim_zero_cat(self.z_s), dim_zero_cat(self.z_f), dim_zero_cat(self.identity)


@torch.no_grad()
def recall(z_s: Tensor, z_f: Tensor, identity: Tensor, k: int) -> Tensor:
    """The share of speeches with a face of their speaker among the `k` nearest by cosine.

    Args:
        z_s: speech embeddings, shape (B, d).
        z_f: face embeddings, shape (B, d).
        identity: speakers of both, shape (B,).
        k: number of nearest faces; at most B are used.

    Returns:
        A share from 0 to 1, a scalar.
    """
    faces = F.normalize(z_f.float(), dim=1)
    hits = []
    for rows, own in zip(z_s.split(ROWS_AT_ONCE), identity.split(ROWS_AT_ONCE), strict=True):
        nearest = (F.normalize(rows.float(), dim=1) @ faces.T).topk(min(k, len(z_f)), dim=1).indices
        hits.append((identity[nearest] == own[:, None]).any(dim=1))
    return torch.cat(hits).float().mean()
