"""What the paper says of portraits, as numbers: how near their features are, how they differ between seeds (Fig. 3)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric


def feature_distances(generated: Tensor, true: Tensor) -> dict[str, Tensor]:
    """How far feature vectors are from each other, row by row.

    The paper's `cos` falls with better results, from 82.5 to 9.9: it can only be an angle in degrees, and its row of
    Speech2Face agrees with the degrees that Speech2Face itself reports. Of its `L1` and `L2` the features' scale is not
    known; they are not of unit length, whose L2 cannot exceed 2. So both are given, under their own names, and only the
    angle may stand beside the paper's number.

    Args:
        generated: Features (B, D) of the generated portraits.
        true: Features (B, D) of the true ones.

    Returns:
        By name (B,), float64: `L1` and `L2` of the features as the network gives them, `L1_unit` and `L2_unit` of
        features of unit length, `cosine_degrees` from 0 to 180, and `cosine_similarity` from -1 to 1.

    Raises:
        ValueError: The shapes differ, or are not (B, D).
    """
    if generated.shape != true.shape or generated.ndim != 2:
        shapes = f"{tuple(generated.shape)} and {tuple(true.shape)}"
        raise ValueError(f"features have shapes {shapes}, expected (B, D) twice")
    generated, true = generated.double(), true.double()
    one, other = F.normalize(generated, dim=1), F.normalize(true, dim=1)
    chord = (one - other).norm(dim=1)
    return {
        "L1": (generated - true).abs().sum(dim=1),
        "L2": (generated - true).norm(dim=1),
        "L1_unit": (one - other).abs().sum(dim=1),
        "L2_unit": chord,
        # By the chord: the arc cosine of a similarity near 1 loses half of the digits.
        "cosine_degrees": torch.rad2deg(2 * torch.asin((chord / 2).clamp(max=1))),
        "cosine_similarity": (one * other).sum(dim=1).clamp(-1, 1),
    }


class FeatureDistance(Metric):
    """The means of `feature_distances` over all portraits.

    Args:
        network: Name of the face network that the features are of, and which weights it has: part of the number.
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

    def update(self, generated: Tensor, true: Tensor) -> None:
        """Add features (B, D) of generated portraits and of the true ones."""
        distances = feature_distances(generated, true)
        self.sums += torch.stack([distances[name].sum() for name in self.NAMES]).to(self.sums)
        self.count += len(generated)

    def compute(self) -> dict[str, Tensor]:
        """The means by name.

        Raises:
            ValueError: There was no portrait.
        """
        if not self.count:
            raise ValueError("feature distances need portraits: there was none")
        # Here the ranks' counts are together; afterwards each has its own again.
        self.portraits = int(self.count)
        return dict(zip(self.NAMES, self.sums / self.count, strict=True))

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers that `compute` gave last were measured."""
        return {"network": self.network, "portraits": self.portraits}


class SeedVariation(Metric):
    """How portraits of one speech differ between seeds, and how they keep to the speaker (Fig. 3).

    `diversity` is the mean, over speeches, of the trace of the covariance of unit features over seeds (0: every seed
    gives the same face). `consistency` is the mean cosine similarity of two portraits of one speech, and
    `between_speakers` that of two portraits of different speeches: a generator that listens has the
    first far above the second.
    """

    full_state_update = False
    features: list[Tensor]

    def __init__(self, network: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.shape = (0, 0)
        self.add_state("features", default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor) -> None:
        """Add features (B, N, D) of N portraits, one per seed, for each of B speeches.

        Raises:
            ValueError: Not three dimensions, or fewer than two seeds.
        """
        if features.ndim != 3 or features.shape[1] < 2:
            raise ValueError(f"features have shape {tuple(features.shape)}, expected (B, N, D) with two seeds at least")
        self.features.append(F.normalize(features.detach().double(), dim=2))

    def compute(self) -> dict[str, Tensor]:
        """`diversity`, `consistency` and `between_speakers`, which is NaN for a single speech."""
        if not len(self.features):
            raise ValueError("the variation over seeds needs portraits: there was none")
        features = self.features if isinstance(self.features, Tensor) else torch.cat(list(self.features))
        speeches, seeds, _ = features.shape
        self.shape = (speeches, seeds)
        diversity = features.var(dim=1, unbiased=True).sum(dim=1).mean()
        # Of all pairs: the squared length of a sum of unit vectors is their number and twice the pairs' similarities.
        return {
            "diversity": diversity,
            "consistency": _pairs(features.sum(dim=1), seeds).mean(),
            "between_speakers": _pairs(features.sum(dim=0), speeches).mean(),
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers that `compute` gave last were measured."""
        speeches, seeds = self.shape
        return {"network": self.network, "features": "unit length", "speeches": speeches, "seeds": seeds}


class SpeakerConsistency(Metric):
    """How portraits of several speeches of one person keep to that person.

    `same` is the mean over people of the mean cosine similarity of two portraits of different speeches of theirs,
    `different` that of two portraits of different people: a generator that hears who speaks has the first above the
    second.
    """

    full_state_update = False
    features: list[Tensor]
    people: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("features", default=[], dist_reduce_fx="cat")
        self.add_state("people", default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor, people: Tensor) -> None:
        """Add features (B, D) of a portrait for each speech, and the number of its speaker (B,).

        Raises:
            ValueError: The shapes are others.
        """
        if features.ndim != 2 or people.shape != features.shape[:1]:
            shapes = f"{tuple(features.shape)} and {tuple(people.shape)}"
            raise ValueError(f"features and people have shapes {shapes}, expected (B, D) and (B,)")
        self.features.append(F.normalize(features.detach().double(), dim=1))
        self.people.append(people)

    def compute(self) -> dict[str, Tensor]:
        """`same` and `different`; NaN where nobody has two speeches, or there is one person."""
        features, people = (
            states if isinstance(states, Tensor) else torch.cat(list(states)) for states in (self.features, self.people)
        )
        _, rows = people.unique(return_inverse=True)
        counts = rows.bincount()
        sums = features.new_zeros(len(counts), features.shape[1]).index_add_(0, rows, features)
        squares = sums.square().sum(dim=1)
        several = counts > 1
        same = (squares - counts)[several] / (counts * (counts - 1))[several]
        between = len(rows) ** 2 - counts.square().sum()
        different = (sums.sum(dim=0).square().sum() - squares.sum()) / between
        return {"same": same.mean(), "different": different}


def _pairs(sums: Tensor, count: int) -> Tensor:
    """The mean similarity of two different ones of `count` unit vectors, by their sum (..., D)."""
    if count < 2:
        return sums.new_full(sums.shape[:-1], math.nan)
    return (sums.square().sum(dim=-1) - count) / (count * (count - 1))
