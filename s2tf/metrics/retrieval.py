"""Retrieval: does a query find its own identity in a gallery?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

TIE = 1e-6
"""Similarities closer than this count as equal: float32 embeddings carry no more."""


def cosine_ranks(queries: Tensor, query_identities: Tensor, gallery: Tensor, gallery_identities: Tensor) -> Tensor:
    """The rank, from 1, at which each query's own identity stands in the gallery by cosine similarity.

    Ties are read against the query: everything as similar as its own identity stands before it, so that an embedding
    which has collapsed to a constant scores zero and not by luck of the sorting.

    Args:
        queries: (Q, D) embeddings.
        query_identities: (Q,) integers.
        gallery: (G, D) embeddings, one row per identity.
        gallery_identities: (G,) integers.

    Returns:
        (Q,) int64.

    Raises:
        ValueError: an identity stands twice in the gallery, or a query's identity does not stand in it.
    """
    if len(gallery_identities.unique()) != len(gallery_identities):
        raise ValueError("the gallery holds an identity twice: give one row (e.g. the mean embedding) per identity")
    own = query_identities[:, None] == gallery_identities[None, :]
    if not bool(own.any(dim=1).all()):
        missing = query_identities[~own.any(dim=1)].tolist()
        raise ValueError(f"queries of identities {missing[:5]} have no row in the gallery")
    similarity = F.normalize(queries.double(), dim=1) @ F.normalize(gallery.double(), dim=1).T
    own_similarity = similarity[own][:, None]
    return 1 + ((similarity >= own_similarity - TIE) & ~own).sum(dim=1)


def identity_gallery(embeddings: Tensor, identities: Sequence[int]) -> tuple[Tensor, Tensor]:
    """One row for each identity: the sum of its embeddings at unit length, whose direction is their mean's.

    Args:
        embeddings: (N, D).
        identities: N of any numbers.

    Returns:
        The gallery (G, D), and for each embedding the row of its identity, (N,) int64.
    """
    numbers, rows = torch.tensor(list(identities)).unique(return_inverse=True)
    gallery = embeddings.new_zeros(len(numbers), embeddings.shape[1])
    return gallery.index_add_(0, rows, F.normalize(embeddings, dim=1)), rows


class RecallAtK(Metric):
    """R@k: the share of queries whose own identity is among the k nearest of the gallery (`cosine_ranks`).

    `update` takes queries, `add_gallery` the rows to search; `compute` returns `{"R@1": ..., "R@5": ...}`.
    `protocol` and `chance` belong beside the numbers: R@k of a gallery of another size is another number.
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
        """Add (N, D) rows of (N,) identities to the gallery."""
        self.gallery.append(embeddings.detach())
        self.gallery_identities.append(identities)

    def update(self, embeddings: Tensor, identities: Tensor) -> None:
        """Add (N, D) queries of (N,) identities."""
        self.queries.append(embeddings.detach())
        self.query_identities.append(identities)

    def compute(self) -> dict[str, Tensor]:
        """The recalls in 0..1 by name.

        Raises:
            ValueError: no query or no gallery was given, or `cosine_ranks` refuses them.
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
        """What guessing reaches."""
        return {f"R@{k}": min(1.0, k / self.gallery_size) for k in self.ks}

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers were measured."""
        return {
            "similarity": "cosine",
            "ties": "against the query",
            "gallery_size": self.gallery_size,
            "queries": len(_joined(self.query_identities)) if len(self.query_identities) else 0,
        }


def _joined(state: "list[Tensor] | Tensor") -> Tensor:
    # After a distributed sync torchmetrics hands the list over as one tensor.
    return state if isinstance(state, Tensor) else torch.cat(list(state))


GALLERY_FRAMES = 8


def gallery_embeddings(embed: Callable[[np.ndarray], Tensor], videos: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """What a retrieval searches, and what the truth asks of it.

    Args:
        embed: (N, H, W, 3) uint8 to (N, D), such as `Judges.embed`.
        videos: true frames (T, H, W, 3) uint8, one video per identity.

    Returns:
        The gallery, (V, D): per video the mean embedding of up to eight frames spread over all but the first; and the
        true queries, (V, D): the first frames, which the gallery does not hold. A video of one frame is both.
    """
    gallery, queries = [], []
    for video in videos:
        rest = video[1:] if len(video) > 1 else video
        chosen = np.linspace(0, len(rest) - 1, min(GALLERY_FRAMES, len(rest))).round().astype(int)
        gallery.append(embed(rest[chosen]).mean(dim=0))
        queries.append(embed(video[:1])[0])
    return torch.stack(gallery), torch.stack(queries)
