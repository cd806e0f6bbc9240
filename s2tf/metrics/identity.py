"""Whether a made face is still the one it was made from, in the features of a network that knows faces."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.features import FaceFeatures
from s2tf.metrics.image import FRAMES_AT_ONCE, check_bytes

EVERY = 5
"""A face's identity changes slowly: five frames a second tell it."""


def cosine_similarities(features: Tensor, true: Tensor) -> Tensor:
    """(N,) float64 in [-1, 1], of features (N, D) and the true ones, (N, D) or (1, D) for all."""
    return F.cosine_similarity(features.double(), true.double(), dim=1)


class IdentitySimilarity(Metric):
    """Mean cosine similarity of the faces of made frames and of the source or the true frames.

    Args:
        features: reads the faces.
        every: every how many frames of an update is read, beginning with its first.

    Raises:
        ValueError: `every` is below 1.
    """

    full_state_update = False
    higher_is_better = True
    similarity: Tensor
    frames: Tensor

    def __init__(self, features: FaceFeatures, every: int = EVERY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if every < 1:
            raise ValueError(f"every is {every}, expected 1 or more")
        self.features, self.every = features, every
        self.add_state("similarity", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, frames: Tensor, true: Tensor) -> None:
        """Add frames (N, 3, H, W) uint8 and the true ones, or the one source frame (1, 3, H, W) of all.

        Raises:
            ValueError: the frames are not uint8, or there are other numbers of true ones.
        """
        if len(true) not in (1, len(frames)):
            raise ValueError(f"{len(frames)} frames against {len(true)} true ones: expected as many, or one")
        values = cosine_similarities(self._embed(frames), self._embed(true))
        self.similarity += values.sum()
        self.frames += len(values)

    def compute(self) -> Tensor:
        """The mean over the frames read."""
        return self.similarity / self.frames

    @property
    def protocol(self) -> dict[str, Any]:
        """How the number was measured."""
        return {**self.features.protocol, "frames read": f"every {self.every}. of a clip", "frames": int(self.frames)}

    def _embed(self, frames: Tensor) -> Tensor:
        check_bytes(frames)
        parts = frames[:: self.every].permute(0, 2, 3, 1).cpu().split(FRAMES_AT_ONCE)
        return torch.cat([self.features.embed(part.contiguous().numpy()) for part in parts])
