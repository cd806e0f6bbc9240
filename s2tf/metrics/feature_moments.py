"""Features of any number of pictures in bounded memory: whole blocks as moments, the newest as they are."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 2048
"""Pictures. Inception's features of so many are 16 MB and their products 32: a clip that is not longer is smaller as it
is."""
COUNT, SUM, PRODUCTS = "frames", "sum", "products"


@dataclass(frozen=True)
class Moments:
    """What mean and covariance of features follow from, in float64."""

    frames: Tensor
    """How many, () int64."""
    total: Tensor
    """Their sum, (F,)."""
    products: Tensor
    """The sum of their outer products, (F, F)."""

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """Of features (N, F)."""
        values = features.double()
        return cls(torch.tensor(len(values)), values.sum(0), values.T @ values)

    def times(self, count: Tensor) -> "Moments":
        """The same features so many times over."""
        return Moments(self.frames * count, self.total * count, self.products * count)

    def __add__(self, other: "Moments") -> "Moments":
        """Of both together."""
        return Moments(self.frames + other.frames, self.total + other.total, self.products + other.products)


class FoldedFeatures:
    """Features that come in runs of any length; what is in memory of them does not grow with their number.

    Every `block` of them becomes moments, counted from the first: the state is the same bits whatever the runs were.

    Args:
        block: So many are held as they are.
    """

    def __init__(self, block: int = BLOCK) -> None:
        self.block = block
        self.folded: Moments | None = None
        self.waiting: list[Tensor] = []

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self.waiting)) + (0 if self.folded is None else int(self.folded.frames))

    def add(self, features: Tensor) -> None:
        """Take the next (N, F)."""
        self.waiting.append(features)
        if sum(map(len, self.waiting)) < self.block:
            return
        *whole, rest = torch.cat(self.waiting).tensor_split(self._borders())
        for one in whole:
            moments = Moments.of(one)
            self.folded = moments if self.folded is None else self.folded + moments
        # A copy: a part of a larger tensor would keep all of it.
        self.waiting = [rest.clone()]

    def state(self) -> dict[str, Tensor]:
        """By name, for `moments_in`: `features`, those held as they are, and the moments of the others if there are."""
        found = {"features": torch.cat(self.waiting)}
        if self.folded is not None:
            found |= {COUNT: self.folded.frames, SUM: self.folded.total, PRODUCTS: self.folded.products}
        return found

    def _borders(self) -> list[int]:
        """Where the waiting ones are cut: after each whole block."""
        return list(range(self.block, sum(map(len, self.waiting)) + 1, self.block))


def moments_in(state: Mapping[str, Tensor]) -> Moments:
    """Of all features of a state of `FoldedFeatures`."""
    held = Moments.of(state["features"])
    return Moments(state[COUNT], state[SUM], state[PRODUCTS]) + held if COUNT in state else held
