"""Metrics of portraits: distances of their features, variation between seeds (Fig. 3), consistency of speakers."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

BLOCK = 2**24
"""Most numbers that are computed at once in float64, 128 MB: the features of millions of portraits fill a memory."""


def feature_distances(preds: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Distances of feature vectors, row by row.

    The paper's `cos` falls with better results, from 82.5 to 9.9: it can only be an angle in degrees, and its row of
    Speech2Face agrees with the degrees that Speech2Face itself reports. The scale of the features in its `L1` and `L2`
    is not known; they do not have unit length, since an L2 of unit vectors cannot exceed 2. Therefore both kinds are
    computed, under different names, and only the angle is comparable with the paper's number.

    Args:
        preds: Features (B, D) of the generated portraits.
        target: Features (B, D) of the reference.

    Returns:
        Distances (B,) float64 by name: `L1` and `L2` of the features as the network gives them, `L1_unit` and
        `L2_unit` of features of unit length, `cosine_degrees` from 0 to 180, and `cosine_similarity` from -1 to 1.

    Raises:
        ValueError: The shapes differ, or are not (B, D).

    Example:
        >>> distances = feature_distances(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        >>> round(float(distances["cosine_degrees"]), 3), float(distances["L1"])
        (90.0, 3.0)
    """
    if preds.shape != target.shape or preds.ndim != 2:
        shapes = f"{tuple(preds.shape)} and {tuple(target.shape)}"
        raise ValueError(f"features have shapes {shapes}, expected (B, D) twice")
    blocks = [_distances(*rows) for rows in zip(preds.split(_rows(preds)), target.split(_rows(preds)), strict=True)]
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def _rows(features: Tensor) -> int:
    """Number of rows of features (B, D) in a block."""
    return max(1, BLOCK // max(1, features.shape[1]))


def _distances(preds: Tensor, target: Tensor) -> dict[str, Tensor]:
    """`feature_distances` of a block of rows."""
    preds, target = preds.double(), target.double()
    one, other = F.normalize(preds, dim=1), F.normalize(target, dim=1)
    chord = (one - other).norm(dim=1)
    return {
        "L1": (preds - target).abs().sum(dim=1),
        "L2": (preds - target).norm(dim=1),
        "L1_unit": (one - other).abs().sum(dim=1),
        "L2_unit": chord,
        # From the chord, since the arc cosine of a similarity near 1 loses half of the digits.
        "cosine_degrees": torch.rad2deg(2 * torch.asin((chord / 2).clamp(max=1))),
        "cosine_similarity": (one * other).sum(dim=1).clamp(-1, 1),
    }


class FeatureDistance(Metric):
    """The means of `feature_distances` over all portraits.

    Args:
        network: Name and weights of the face network whose features these are; part of the number's protocol.

    Example:
        >>> metric = FeatureDistance("mine")
        >>> metric.update(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        >>> float(metric.compute()["L1_unit"])
        2.0
    """

    full_state_update = False
    sums: Tensor
    count: Tensor

    NAMES = ("L1", "L2", "L1_unit", "L2_unit", "cosine_degrees", "cosine_similarity")

    def __init__(self, network: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.portraits = 0
        self.add_state("sums", default=torch.zeros(len(self.NAMES), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds features (B, D) of generated portraits and of their reference."""
        distances = feature_distances(preds, target)
        self.sums += torch.stack([distances[name].sum() for name in self.NAMES]).to(self.sums)
        self.count += len(preds)

    def compute(self) -> dict[str, Tensor]:
        """The means by name.

        Raises:
            ValueError: There was no portrait.
        """
        if not self.count:
            raise ValueError("feature distances need at least one portrait, none was added")
        # Inside `compute` the count is the sum over ranks; afterwards each rank has its own count again.
        self.portraits = int(self.count)
        return dict(zip(self.NAMES, self.sums / self.count, strict=True))

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers that `compute` returned last."""
        return {"network": self.network, "portraits": self.portraits}


class SeedVariation(Metric):
    """Variation and similarity of the portraits of one speech for different seeds (Fig. 3).

    `diversity` is the mean, over speeches, of the trace of the covariance of unit features over seeds (0: every seed
    gives the same face). `consistency` is the mean cosine similarity of two portraits of one speech, and
    `between_speakers` that of two portraits of different speeches: a generator that depends on the speech has the
    first far above the second.

    Args:
        network: Name and weights of the face network whose features these are.

    Example:
        >>> metric = SeedVariation("mine")
        >>> metric.update(torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]))
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'diversity': 0.0, 'consistency': 1.0, 'between_speakers': 0.0}
    """

    full_state_update = False
    features: list[Tensor]

    def __init__(self, network: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.shape = (0, 0)
        self.add_state("features", default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor) -> None:
        """Adds features (B, N, D) of N portraits, one per seed, for each of B speeches.

        Raises:
            ValueError: The features do not have three dimensions, or there are fewer than two seeds.
        """
        if features.ndim != 3 or features.shape[1] < 2:
            raise ValueError(f"features have shape {tuple(features.shape)}, expected (B, N, D) with two seeds at least")
        self.features.append(F.normalize(features.detach().double(), dim=2))

    def compute(self) -> dict[str, Tensor]:
        """`diversity`, `consistency` and `between_speakers`, which is NaN for a single speech."""
        if not len(self.features):
            raise ValueError("the variation over seeds needs at least one portrait, none was added")
        features = self.features if isinstance(self.features, Tensor) else torch.cat(list(self.features))
        speeches, seeds, _ = features.shape
        self.shape = (speeches, seeds)
        diversity = features.var(dim=1, unbiased=True).sum(dim=1).mean()
        # The squared length of a sum of unit vectors is their number plus twice the sum of their similarities.
        return {
            "diversity": diversity,
            "consistency": _pairs(features.sum(dim=1), seeds).mean(),
            "between_speakers": _pairs(features.sum(dim=0), speeches).mean(),
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers that `compute` returned last."""
        speeches, seeds = self.shape
        return {"network": self.network, "features": "unit length", "speeches": speeches, "seeds": seeds}


class SpeakerConsistency(Metric):
    """Similarity of portraits for several speeches of one person.

    `same` is the mean cosine similarity of two portraits of different speeches of one person, averaged over people.
    `different` is that of two portraits of different people. A generator that hears the speaker has the first above
    the second.

    Example:
        >>> metric = SpeakerConsistency()
        >>> metric.update(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([7, 7, 8]))
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'same': 1.0, 'different': 0.0}
    """

    full_state_update = False
    features: list[Tensor]
    people: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("features", default=[], dist_reduce_fx="cat")
        self.add_state("people", default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor, people: Tensor) -> None:
        """Adds features (B, D) of a portrait for each speech, and the numbers of their speakers (B,).

        Raises:
            ValueError: The shapes do not fit.
        """
        if features.ndim != 2 or people.shape != features.shape[:1]:
            shapes = f"{tuple(features.shape)} and {tuple(people.shape)}"
            raise ValueError(f"features and people have shapes {shapes}, expected (B, D) and (B,)")
        self.features.append(features.detach())
        self.people.append(people)

    def compute(self) -> dict[str, Tensor]:
        """`same` (NaN where no person has two speeches) and `different` (NaN for a single person)."""
        # After a distributed sync torchmetrics replaces a list by one tensor.
        features, people = ([one] if isinstance(one, Tensor) else list(one) for one in (self.features, self.people))
        _, rows = torch.cat(people).unique(return_inverse=True)
        counts = rows.bincount()
        # The sum of the unit vectors of each person, a block of rows after the other.
        sums = features[0].new_zeros(len(counts), features[0].shape[1], dtype=torch.float64)
        blocks = [block for one in features for block in one.split(_rows(one))]
        for block, own in zip(blocks, rows.split([len(block) for block in blocks]), strict=True):
            sums.index_add_(0, own, F.normalize(block.double(), dim=1))
        squares = sums.square().sum(dim=1)
        several = counts > 1
        same = (squares - counts)[several] / (counts * (counts - 1))[several]
        between = len(rows) ** 2 - counts.square().sum()
        different = (sums.sum(dim=0).square().sum() - squares.sum()) / between
        return {"same": same.mean(), "different": different}


def _pairs(sums: Tensor, count: int) -> Tensor:
    """Mean similarity over all pairs of `count` unit vectors, computed from their sum (..., D)."""
    if count < 2:
        return sums.new_full(sums.shape[:-1], math.nan)
    return (sums.square().sum(dim=-1) - count) / (count * (count - 1))
