"""Gender and age of a face: one interface for whatever reads them, and the paper's identity preservation (Table I)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.attributes import UNKNOWN, Attributes

AGE_TOLERANCE = 10.0
"""Years: the paper counts an age as right within ten years of the true one."""


class IdentityPreservation(Metric):
    """How many generated portraits have the speaker's gender, and an age within ten years of the speaker's.

    A portrait in which no face is found counts as wrong, and as `unread` in the protocol; a speaker whose gender (or
    age) is not known counts in neither number.

    Args:
        reader: The reader's protocol.
    """

    full_state_update = False
    NAMES = ("gender", "gender_known", "age", "age_known", "unread", "portraits")
    counts: Tensor

    def __init__(self, reader: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = dict(reader)
        self.last: dict[str, int] = dict.fromkeys(self.NAMES, 0)
        self.add_state("counts", default=torch.zeros(len(self.NAMES), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, read: Sequence[Attributes | None], true: Sequence[Attributes]) -> None:
        """Add what was read off portraits, and the truth of their speakers."""
        for found, wanted in zip(read, true, strict=True):
            self.counts += torch.tensor(_verdict(found, wanted), device=self.counts.device)

    def compute(self) -> dict[str, Tensor]:
        """`gender` and `age`, each a share in 0..1; NaN where no speaker's is known."""
        self.last = dict(zip(self.NAMES, self.counts.tolist(), strict=True))
        counts = self.counts.double()
        return {"gender": counts[0] / counts[1], "age": counts[2] / counts[3]}

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers that `compute` gave last were measured."""
        return {"reader": self.reader, "age tolerance (years)": AGE_TOLERANCE, "no face found": "counts as wrong"}


def _verdict(found: Attributes | None, wanted: Attributes) -> list[int]:
    knows_gender, knows_age = wanted.gender != UNKNOWN, wanted.age == wanted.age
    gender = found is not None and knows_gender and found.gender == wanted.gender
    age = found is not None and knows_age and abs(found.age - wanted.age) <= AGE_TOLERANCE
    return [int(value) for value in (gender, knows_gender, age, knows_age, found is None, True)]
