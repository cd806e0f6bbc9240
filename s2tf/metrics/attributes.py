"""Identity preservation (Table I): portraits that keep the gender and the age of their speaker."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.attributes import UNKNOWN, Attributes

AGE_TOLERANCE = 10.0
"""Largest error of an age that counts as right, in years, as in the paper."""


class IdentityPreservation(Metric):
    """Share of generated portraits with the speaker's gender, and with an age within ten years of the speaker's.

    A portrait without a face counts as wrong. A speaker of unknown gender (or age) does not count.

    Args:
        reader: The reader's protocol.

    Example:
        >>> metric = IdentityPreservation({"reader": "mine"})
        >>> metric.update([Attributes(0, 30.0), None], [Attributes(0, 39.0), Attributes(1, 25.0)])
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'gender': 0.5, 'age': 0.5}
    """

    full_state_update = False
    NAMES = ("gender", "gender_known", "age", "age_known", "unread", "portraits")
    counts: Tensor

    def __init__(self, reader: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = dict(reader)
        self.last: dict[str, int] = dict.fromkeys(self.NAMES, 0)
        self.add_state("counts", default=torch.zeros(len(self.NAMES), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[Attributes | None], target: Sequence[Attributes]) -> None:
        """Adds the readings of portraits (None: no face found) and the attributes of their speakers."""
        for found, wanted in zip(preds, target, strict=True):
            self.counts += torch.tensor(_matches(found, wanted), device=self.counts.device)

    def compute(self) -> dict[str, Tensor]:
        """`gender` and `age`, each a share in 0..1; NaN where it is known for no speaker."""
        self.last = dict(zip(self.NAMES, self.counts.tolist(), strict=True))
        counts = self.counts.double()
        return {"gender": counts[0] / counts[1], "age": counts[2] / counts[3]}

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers that `compute` returned last."""
        return {"reader": self.reader, "age tolerance (years)": AGE_TOLERANCE, "no face found": "counts as wrong"}


def _matches(found: Attributes | None, wanted: Attributes) -> list[int]:
    """One portrait's counts in the order of `IdentityPreservation.NAMES`."""
    knows_gender, knows_age = wanted.gender != UNKNOWN, wanted.age == wanted.age
    gender = found is not None and knows_gender and found.gender == wanted.gender
    age = found is not None and knows_age and abs(found.age - wanted.age) <= AGE_TOLERANCE
    return [int(value) for value in (gender, knows_gender, age, knows_age, found is None, True)]
