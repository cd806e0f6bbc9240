"""Gender and age of a face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

FEMALE, MALE, UNKNOWN = 0, 1, -1


@dataclass(frozen=True)
class Attributes:
    """The known attributes of a face."""

    gender: int = UNKNOWN
    """0 female, 1 male, -1 unknown."""
    age: float = float("nan")
    """Years; NaN where unknown."""
    confidence: float = float("nan")
    """The reader's probability of the gender; NaN where it gives none."""
    age_deviation: float = float("nan")
    """The reader's standard deviation of the age in years; NaN where it gives none."""

    @property
    def complete(self) -> bool:
        """True if both are known."""
        return self.gender != UNKNOWN and self.age == self.age


class AttributeReader(Protocol):
    """A reader of gender and age."""

    @property
    def packages(self) -> Sequence[str]:
        """Packages that it uses besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The reader's name and weights, which are part of every number's protocol."""

    def read(self, pictures: np.ndarray) -> list[Attributes | None]:
        """Read the attributes of pictures (N, H, W, 3) uint8 RGB; None for a picture without a face.

        Raises:
            UserError: The reader cannot read any picture.
            ValueError: The reader cannot read one of these pictures.
        """
