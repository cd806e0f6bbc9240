"""Similarity of a generated face and the person it shows, in the features of a face network."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from s2tf.errors import require_at_least_one
from s2tf.faces.features import FaceFeatures
from s2tf.metrics.image import FRAMES_AT_ONCE, check_bytes

EVERY = 5
"""Step between the frames that are read: a face's identity changes slowly, so five frames a second are enough."""


def cosine_similarities(preds: Tensor, target: Tensor) -> Tensor:
    """Similarities (N,) float64 in [-1, 1] of features (N, D) and (N, D), or (1, D) for all.

    Example:
        >>> cosine_similarities(torch.eye(2), torch.tensor([[2.0, 0.0]])).tolist()
        [1.0, 0.0]
    """
    return F.cosine_similarity(preds.double(), target.double(), dim=1)


class IdentitySimilarity(Metric):
    """Mean cosine similarity of the faces of generated frames and of the source or the reference frames.

    Args:
        features: The network that reads the faces.
        every: Step between the frames that are read, from the first frame of each update on.

    Raises:
        ValueError: `every` is below 1.
    """

    full_state_update = False
    higher_is_better = True
    similarity: Tensor
    frames: Tensor

    def __init__(self, features: FaceFeatures, every: int = EVERY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_at_least_one(every=every)
        self.features, self.every = features, every
        self.add_state("similarity", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds generated frames (N, 3, H, W) uint8 and the reference frames, or the one source frame (1, 3, H, W).

        Raises:
            ValueError: The frames are not uint8, or their numbers do not fit.
        """
        if len(target) not in (1, len(preds)):
            raise ValueError(f"{len(preds)} frames against {len(target)} reference frames: expected {len(preds)} or 1")
        values = cosine_similarities(self._embed(preds), self._embed(target))
        self.similarity += values.sum()
        self.frames += len(values)

    def compute(self) -> Tensor:
        """The mean over the frames read."""
        return self.similarity / self.frames

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the number."""
        return {**self.features.protocol, "frames read": f"every {self.every}. of a clip", "frames": int(self.frames)}

    def _embed(self, frames: Tensor) -> Tensor:
        check_bytes(frames)
        parts = frames[:: self.every].permute(0, 2, 3, 1).cpu().split(FRAMES_AT_ONCE)
        return torch.cat([self.features.embed(part.contiguous().numpy()) for part in parts])
