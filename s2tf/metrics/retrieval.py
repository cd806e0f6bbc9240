"""Retrieval of identities in a gallery."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

GALLERY_FRAMES = 8
"""Most frames of a video whose mean embedding is its row of a gallery."""
TIE = 1e-6
"""Similarities closer than this count as equal, since float32 embeddings are not more precise."""
BLOCK = 2**24
"""Most similarities, and numbers of queries, that are computed at once: 128 MB in float64."""


def cosine_ranks(queries: Tensor, query_identities: Tensor, gallery: Tensor, gallery_identities: Tensor) -> Tensor:
    """The rank, from 1, of each query's own identity in the gallery by cosine similarity.

    Ties count against the query: every identity that is as similar as its own ranks before it, so that an embedding
    which has collapsed to a constant finds nothing, independent of the order of sorting.

    Queries are compared in blocks, so that beside the embeddings the memory does not grow with their number.

    Args:
        queries: (Q, D) embeddings.
        query_identities: (Q,) integers.
        gallery: (G, D) embeddings, one row per identity.
        gallery_identities: (G,) integers.

    Returns:
        (Q,) int64.

    Raises:
        ValueError: An identity is twice in the gallery, or a query's identity is not in it.

    Example:
        >>> gallery, numbers = torch.eye(3), torch.tensor([10, 11, 12])
        >>> cosine_ranks(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([11]), gallery, numbers).tolist()
        [2]
    """
    if len(gallery_identities.unique()) != len(gallery_identities):
        raise ValueError("the gallery holds an identity twice: give one row (e.g. the mean embedding) per identity")
    # The row of each query's own identity.
    known, order = gallery_identities.sort()
    place = torch.searchsorted(known, query_identities).clamp(max=len(known) - 1)
    found = known[place] == query_identities
    if not bool(found.all()):
        raise ValueError(f"queries of identities {query_identities[~found][:5].tolist()} have no row in the gallery")
    own = order[place]
    # Count the rows before it, a block of queries after the other. Its own row counts as one, so that ranks begin at 1.
    faces = F.normalize(gallery.double(), dim=1).T
    rows = max(1, BLOCK // max(1, *gallery.shape))
    ranks = []
    for some, wanted in zip(queries.split(rows), own.split(rows), strict=True):
        similarity = F.normalize(some.double(), dim=1) @ faces
        ranks.append((similarity >= similarity.gather(1, wanted[:, None]) - TIE).sum(dim=1))
    return torch.cat(ranks)


def identity_gallery(embeddings: Tensor, identities: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A gallery with one row for each identity: the sum of its embeddings after scaling them to unit length.

    Args:
        embeddings: (N, D).
        identities: N integers.

    Returns:
        The gallery (G, D), and for each embedding the row of its identity, (N,) int64.

    Example:
        >>> gallery, rows = identity_gallery(torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), [8, 5, 5])
        >>> gallery.tolist(), rows.tolist()
        ([[0.0, 2.0], [1.0, 0.0]], [1, 0, 0])
    """
    numbers, rows = torch.tensor(list(identities)).unique(return_inverse=True)
    gallery = embeddings.new_zeros(len(numbers), embeddings.shape[1])
    return gallery.index_add_(0, rows, F.normalize(embeddings, dim=1)), rows


class RecallAtK(Metric):
    """R@k: the share of queries whose own identity is among the k nearest of the gallery (`cosine_ranks`).

    `update` takes queries, `add_gallery` the rows to search; `compute` returns `{"R@1": ..., "R@5": ...}`.
    Report `protocol` and `chance` with the numbers, since R@k depends on the size of the gallery.

    Args:
        ks: Ranks from 1.

    Raises:
        ValueError: There is no rank, or one is below 1.

    Example:
        >>> metric = RecallAtK(ks=(1, 2))
        >>> metric.add_gallery(torch.eye(2), torch.tensor([0, 1]))
        >>> metric.update(torch.tensor([[1.0, 0.1], [1.0, 0.2]]), torch.tensor([0, 1]))
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'R@1': 0.5, 'R@2': 1.0}
    """

    full_state_update = False
    higher_is_better = True
    queries: list[Tensor]
    query_identities: list[Tensor]
    gallery: list[Tensor]
    gallery_identities: list[Tensor]

    def __init__(self, ks: Sequence[int] = (1, 5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not ks or min(ks) < 1:
            raise ValueError(f"ks is {tuple(ks)}, expected ranks from 1")
        self.ks = tuple(ks)
        for name in ("queries", "query_identities", "gallery", "gallery_identities"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def add_gallery(self, embeddings: Tensor, identities: Tensor) -> None:
        """Adds rows (N, D) of identities (N,) to the gallery."""
        self.gallery.append(embeddings.detach())
        self.gallery_identities.append(identities)

    def update(self, embeddings: Tensor, identities: Tensor) -> None:
        """Adds queries (N, D) of identities (N,)."""
        self.queries.append(embeddings.detach())
        self.query_identities.append(identities)

    def compute(self) -> dict[str, Tensor]:
        """The recalls in 0..1 by name.

        Raises:
            ValueError: There is no query or no gallery, or `cosine_ranks` refuses them.
        """
        if not (len(self.queries) and len(self.gallery)):
            raise ValueError("recall needs queries and a gallery: one of them is empty")
        ranks = cosine_ranks(
            _joined(self.queries),
            _joined(self.query_identities),
            _joined(self.gallery),
            _joined(self.gallery_identities),
        )
        return {f"R@{k}": (ranks <= k).double().mean() for k in self.ks}

    @property
    def gallery_size(self) -> int:
        """The number of identities searched."""
        return len(_joined(self.gallery_identities)) if len(self.gallery_identities) else 0

    @property
    def chance(self) -> dict[str, float]:
        """The recalls of guessing."""
        return {f"R@{k}": min(1.0, k / self.gallery_size) for k in self.ks}

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            "similarity": "cosine",
            "ties": "against the query",
            "gallery_size": self.gallery_size,
            "queries": len(_joined(self.query_identities)) if len(self.query_identities) else 0,
        }


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    # After a distributed sync torchmetrics replaces the list by one tensor.
    return state if isinstance(state, Tensor) else torch.cat(list(state))


def gallery_embeddings(embed: Callable[[np.ndarray], Tensor], videos: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """A gallery of reference videos, and the queries of their own first frames.

    Args:
        embed: Turns pictures (N, H, W, 3) uint8 into embeddings (N, D), such as `Judges.embed`.
        videos: Reference frames (T, H, W, 3) uint8, one video per identity.

    Returns:
        The gallery (V, D), for each video the mean embedding of up to eight frames spread over all but the first; and
        queries (V, D) of the first frames, which are not in the gallery. A video of one frame is in both.
    """
    gallery, queries = [], []
    for video in videos:
        rest = video[1:] if len(video) > 1 else video
        chosen = np.linspace(0, len(rest) - 1, min(GALLERY_FRAMES, len(rest))).round().astype(int)
        gallery.append(embed(rest[chosen]).mean(dim=0))
        queries.append(embed(video[:1])[0])
    return torch.stack(gallery), torch.stack(queries)
