"""Features of any number of pictures in bounded memory: full blocks as moments, the newest features themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 2048
"""Pictures of a block. Inception's features of one block take 16 MB, and their products 32 MB: a clip of fewer
pictures is smaller as features."""
COUNT, SUM, PRODUCTS = "frames", "sum", "products"


@dataclass(frozen=True)
class Moments:
    """Sums from which the mean and the covariance of features are computed, in float64.

    Example:
        >>> moments = Moments.of(torch.tensor([[1.0, 2.0]])) + Moments.of(torch.tensor([[3.0, 4.0]]))
        >>> int(moments.frames), moments.total.tolist()
        (2, [4.0, 6.0])
    """

    frames: Tensor
    """The number of pictures, () int64."""
    total: Tensor
    """The sum of their features, (F,)."""
    products: Tensor
    """The sum of their outer products, (F, F)."""

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """The moments of features (N, F)."""
        values = features.double()
        return cls(torch.tensor(len(values)), values.sum(0), values.T @ values)

    def times(self, count: Tensor) -> "Moments":
        """The moments of the same features, `count` times over."""
        return Moments(self.frames * count, self.total * count, self.products * count)

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both sets together."""
        return Moments(self.frames + other.frames, self.total + other.total, self.products + other.products)


class FoldedFeatures:
    """Features that come in runs of any length, in memory that does not grow with their number.

    Each full block of pictures, counted from the first picture, becomes moments: the state has the same bits whatever
    the runs were.

    Args:
        block: Pictures of a block.

    Example:
        >>> features = FoldedFeatures(block=2)
        >>> features.add(torch.tensor([[1.0], [2.0], [3.0]]))
        >>> len(features), features.state()["features"].tolist(), float(moments_in(features.state()).total)
        (3, [[3.0]], 6.0)
    """

    def __init__(self, block: int = BLOCK) -> None:
        self.block = block
        self.folded: Moments | None = None
        self.waiting: list[Tensor] = []

    def __len__(self) -> int:
        """The number of pictures."""
        return sum(map(len, self.waiting)) + (0 if self.folded is None else int(self.folded.frames))

    def add(self, features: Tensor) -> None:
        """Takes the next features (N, F)."""
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
        """The state for `moments_in`: `features` of the last, unfinished block, and the moments of the full blocks."""
        found = {"features": torch.cat(self.waiting)}
        if self.folded is not None:
            found |= {COUNT: self.folded.frames, SUM: self.folded.total, PRODUCTS: self.folded.products}
        return found

    def _borders(self) -> list[int]:
        """Indices at which the waiting features are cut: after each full block."""
        return list(range(self.block, sum(map(len, self.waiting)) + 1, self.block))


def moments_in(state: Mapping[str, Tensor]) -> Moments:
    """The moments of all features of a state of `FoldedFeatures`."""
    held = Moments.of(state["features"])
    return Moments(state[COUNT], state[SUM], state[PRODUCTS]) + held if COUNT in state else held
