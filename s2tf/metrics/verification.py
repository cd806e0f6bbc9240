"""Comparison of pictures of the same person and of different persons, and of two ways to compare them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

RESAMPLED = 2000
"""Number of random choices of the persons, for an interval."""
INTERVAL = (2.5, 97.5)
"""Percentiles of an interval: 95 % of the choices lie in it."""


@dataclass(frozen=True)
class PairCosines:
    """Cosines of pairs of pictures, summed by person: numbers, sums and sums of squares.

    Example:
        >>> import torch
        >>> PairCosines.of_features(torch.eye(3)[[0, 0, 1]], [0, 0, 1]).same[0].tolist()
        [1.0, 0.0]
    """

    same: np.ndarray
    """(3, P): of the pairs of pictures of each person."""
    different: np.ndarray
    """(3, P, P): of the pairs with a picture of each of two persons; 0 on the diagonal."""

    @classmethod
    def of_features(cls, features: Tensor, people: Sequence[int]) -> "PairCosines":
        """Compare all pairs of pictures, by their features (N, D).

        Args:
            features: Features of the pictures.
            people: Person on each picture, numbered from 0.
        """
        unit = F.normalize(features.double(), dim=1)
        cosines = (unit @ unit.T).numpy()
        member = np.eye(max(people) + 1)[list(people)]
        powers = np.stack([np.ones_like(cosines), cosines, cosines**2])
        sums = np.einsum("na,knm,mb->kab", member, powers, member)
        # A picture's pair with itself has the cosine 1; of a person's other pairs each stands twice.
        own = (np.einsum("kaa->ka", sums) - member.sum(axis=0)) / 2
        return cls(own, sums * (1 - np.eye(len(own[0]))) / 2)

    def total(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number, mean and variance (3, W) of both kinds of pairs, with persons weighted by each row of (W, P)."""
        same = self.same @ weights.T
        different = np.einsum("wa,kab,wb->kw", weights, self.different, weights)
        return _moments(same), _moments(different)

    def separation(self, weights: np.ndarray) -> np.ndarray:
        """Distance (W,) of the mean cosines in standard deviations; NaN for a choice without both kinds of pairs."""
        same, different = self.total(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (same[1] - different[1]) / np.sqrt((same[2] + different[2]) / 2)


@dataclass(frozen=True)
class Verification:
    """Summary of the cosines of all pairs.

    Example:
        >>> Verification(same=0.8, different=0.2, separation=3.0).separation
        3.0
    """

    same: float
    """Mean cosine of two pictures of one person."""
    different: float
    """Mean cosine of pictures of two persons."""
    separation: float
    """Distance of the two means in standard deviations of the cosines (d′)."""


def summarise(pairs: PairCosines) -> Verification:
    """Summarise the cosines of all pairs, each counted once.

    Example:
        >>> import torch
        >>> eye = torch.eye(2)
        >>> features = torch.stack([eye[0], eye[0], eye[1], eye[1]])
        >>> found = summarise(PairCosines.of_features(features, [0, 0, 1, 1]))
        >>> found.same, found.different
        (1.0, 0.0)
    """
    everyone = np.ones((1, pairs.same.shape[1]))
    same, different = pairs.total(everyone)
    return Verification(float(same[1, 0]), float(different[1, 0]), float(pairs.separation(everyone)[0]))


@dataclass(frozen=True)
class Margin:
    """Difference of two separations, with the interval that the choice of persons leaves.

    Example:
        >>> Margin(0.2, 0.1, 0.3).sign, Margin(0.2, -0.1, 0.5).sign
        (1, 0)
    """

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval is on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def compare_separations(one: PairCosines, other: PairCosines, seed: int = 0) -> Margin:
    """Compare two ways to compare the same pictures, by choosing their persons again and again with replacement.

    Args:
        one: Cosines by one way.
        other: Cosines of the same pictures by the other way.
        seed: Seed of the choices.

    Example:
        >>> import torch
        >>> people = [0, 0, 1, 1, 2, 2]
        >>> clear = torch.eye(3)[people] + 0.1 * torch.rand(6, 3)
        >>> ways = [PairCosines.of_features(features, people) for features in (clear, torch.rand(6, 3))]
        >>> compare_separations(*ways).value > 0
        True
    """
    people = one.same.shape[1]
    weights = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=RESAMPLED)
    everyone = np.ones((1, people))
    value = float((one.separation(everyone) - other.separation(everyone))[0])
    found = one.separation(weights) - other.separation(weights)
    found = found[np.isfinite(found)]
    low, high = np.percentile(found, INTERVAL) if len(found) else (-np.inf, np.inf)
    return Margin(value, float(low), float(high))


def _moments(sums: np.ndarray) -> np.ndarray:
    """Number, mean and variance (3, W) from numbers, sums and sums of squares."""
    count, total, squares = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        return np.stack([count, mean, np.maximum(squares / count - mean**2, 0)])
