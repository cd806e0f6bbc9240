"""Perceptual distance of pictures and their reference in the features of a network, frame by frame."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from s2tf.faces.judge_network import JUDGE_SIZE, FaceReader
from s2tf.metrics.image import FRAMES_AT_ONCE, check_shapes, unit_range
from s2tf.nn.lpips_network import FILES, Backbone, load_lpips
from s2tf.nn.published_weights import PublishedWeights, weights_record

LPIPS_SIZE = 64
"""The smallest side that LPIPS's networks take, in pixels; smaller pictures are enlarged to it."""


class PerceptualDistance(Protocol):
    """A network that compares frames."""

    name: str

    @property
    def packages(self) -> Sequence[str]:
        """Packages that it uses besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> dict[str, Any]:
        """The network and its weights."""

    def compare(self, preds: Tensor, target: Tensor) -> Tensor:
        """Distances (N,) of frames (N, 3, H, W) and their reference, uint8 or float in [-1, 1]."""


class LPIPS:
    """LPIPS (Zhang et al. 2018).

    Args:
        weights: Path of torchvision's ImageNet weights of the backbone.
        backbone: `alex` or `vgg`.
        device: Device to compute on.
        allow_random: Allows `random` as `weights`, for trials without the file; such a distance is not LPIPS.

    Raises:
        ValueError: The weights do not fit, or `weights` is `random` and that is not allowed.
        FileNotFoundError: The file does not exist.
    """

    name = "LPIPS"
    packages = ("lpips", "torchvision")

    def __init__(
        self, weights: str, backbone: Backbone = "alex", device: str = "cpu", *, allow_random: bool = False
    ) -> None:
        PublishedWeights("LPIPS", "torchvision", FILES[backbone]).check(weights, allow_random=allow_random)
        self.network = load_lpips(weights, backbone).to(device)
        self.weights, self.backbone, self.device = weights, backbone, device

    @property
    def protocol(self) -> dict[str, Any]:
        """The backbone and its weights."""
        weights = weights_record(self.network, self.weights)
        return {"perceptual": f"LPIPS, {self.backbone}", "perceptual weights": weights}

    @torch.no_grad()
    def compare(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `PerceptualDistance.compare`."""
        one, other = (_at_least(unit_range(value) * 2 - 1, LPIPS_SIZE).to(self.device) for value in (preds, target))
        return self.network(one, other).flatten().cpu()


class JudgeDistance:
    """A distance in the features of the face judge, for synthetic faces and trials without LPIPS; it is not LPIPS.

    As in LPIPS, each layer's features are brought to unit length over the channels, and the squares of their
    differences are summed over the channels and averaged over the picture; all layers have the same weight. The
    convolutions read the pictures at their own size, where blur shows that is invisible at the judge's 64 pixels.

    Example:
        >>> distance, frames = JudgeDistance(FaceReader(outputs=3, width=8)), torch.zeros(2, 3, 64, 64)
        >>> distance.compare(frames, frames).tolist()
        [0.0, 0.0]
    """

    name = "feature distance (face judge)"
    packages = ()

    def __init__(self, reader: FaceReader) -> None:
        self.reader = reader.eval()

    @property
    def protocol(self) -> dict[str, Any]:
        """The judge's weights."""
        return {"perceptual": "features of the face judge", "perceptual weights": self.reader.fingerprint()}

    @torch.no_grad()
    def compare(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `PerceptualDistance.compare`."""
        pairs = zip(self._features(preds), self._features(target), strict=True)
        return torch.stack([(one - other).square().sum(1).mean((1, 2)) for one, other in pairs]).sum(0)

    def _features(self, frames: Tensor) -> Iterator[Tensor]:
        values = _at_least(unit_range(frames) * 2 - 1, JUDGE_SIZE)
        for layer in self.reader.features:
            values = layer(values)
            if isinstance(layer, nn.SiLU):
                yield F.normalize(values, dim=1)


class MeanPerceptualDistance(Metric):
    """The mean of a distance over all frames.

    Args:
        distance: The network that compares frames.

    Example:
        >>> metric, frames = MeanPerceptualDistance(JudgeDistance(FaceReader(3, width=8))), torch.zeros(2, 3, 64, 64)
        >>> metric.update(frames, frames)
        >>> float(metric.compute())
        0.0
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    frames: Tensor

    def __init__(self, distance: PerceptualDistance, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.distance = distance
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds frames (N, 3, H, W) and their reference, uint8 or float in [-1, 1].

        Raises:
            ValueError: The shapes differ.
        """
        check_shapes(preds, target)
        for some, others in zip(preds.split(FRAMES_AT_ONCE), target.split(FRAMES_AT_ONCE), strict=True):
            self.total += self.distance.compare(some, others).double().sum().to(self.total)
        self.frames += len(preds)

    def compute(self) -> Tensor:
        """The mean over all frames."""
        return self.total / self.frames

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the number."""
        return {**self.distance.protocol, "frames": int(self.frames)}


def _at_least(values: Tensor, side: int) -> Tensor:
    if values.shape[-1] >= side:
        return values
    return F.interpolate(values, size=(side, side), mode="bilinear")
