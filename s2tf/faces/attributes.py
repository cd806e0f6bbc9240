"""Gender and age as read from a face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

FEMALE, MALE, UNKNOWN = 0, 1, -1


@dataclass(frozen=True)
class Attributes:
    """What is known of a face."""

    gender: int = UNKNOWN
    """0 female, 1 male, -1 unknown."""
    age: float = float("nan")
    """Years; NaN where unknown."""

    @property
    def complete(self) -> bool:
        """Whether both are known."""
        return self.gender != UNKNOWN and self.age == self.age


class AttributeReader(Protocol):
    """Reads gender and age off pictures."""

    @property
    def packages(self) -> Sequence[str]:
        """What it reads with besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Which reader it is: part of every number that it gives."""

    def read(self, pictures: np.ndarray) -> list[Attributes | None]:
        """One per picture (N, H, W, 3) uint8 RGB; None where no face is found.

        Raises:
            UserError: It can read none at all, whatever the picture.
            ValueError: It cannot read these.
        """
