"""How far a picture is from the true one in the features of a network, frame by frame."""

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
"""The least side that LPIPS's networks take, pixels; smaller pictures are brought to it."""


class PerceptualDistance(Protocol):
    """Compares frames."""

    name: str

    @property
    def packages(self) -> Sequence[str]:
        """What it reads with besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> dict[str, Any]:
        """Which network, and its weights."""

    def compare(self, frames: Tensor, true: Tensor) -> Tensor:
        """(N,) of frames (N, 3, H, W), uint8 or float in [-1, 1], and the true ones."""


class LPIPS:
    """LPIPS (Zhang et al. 2018).

    Args:
        weights: path of torchvision's ImageNet weights of the backbone.
        backbone: `alex` or `vgg`.
        device: where to compute.
        allow_random: whether `weights` may be `random`, to run the path without the file.

    Raises:
        ValueError: the weights do not fit, or are random and may not be: such a distance is no LPIPS.
        FileNotFoundError: there is no such file.
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
    def compare(self, frames: Tensor, true: Tensor) -> Tensor:
        """See `PerceptualDistance.compare`."""
        one, other = (_at_least(unit_range(value) * 2 - 1, LPIPS_SIZE).to(self.device) for value in (frames, true))
        return self.network(one, other).flatten().cpu()


class JudgeDistance:
    """A distance in the features of the face judge, for synthetic faces where no LPIPS is at hand; it is not LPIPS.

    As there, each layer's features are brought to unit length over the channels, and the squares of their differences
    summed over the channels and averaged over the picture; the layers count alike. The convolutions look at the
    pictures at their own size, which shows blur that they would not see at the judge's 64 pixels.
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
    def compare(self, frames: Tensor, true: Tensor) -> Tensor:
        """See `PerceptualDistance.compare`."""
        pairs = zip(self._features(frames), self._features(true), strict=True)
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
        distance: compares frames.
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

    def update(self, frames: Tensor, true: Tensor) -> None:
        """Add (N, 3, H, W) frames and the true ones, uint8 or float in [-1, 1].

        Raises:
            ValueError: the shapes differ.
        """
        check_shapes(frames, true)
        for some, others in zip(frames.split(FRAMES_AT_ONCE), true.split(FRAMES_AT_ONCE), strict=True):
            self.total += self.distance.compare(some, others).double().sum().to(self.total)
        self.frames += len(frames)

    def compute(self) -> Tensor:
        """The mean over all frames seen."""
        return self.total / self.frames

    @property
    def protocol(self) -> dict[str, Any]:
        """How the number was measured."""
        return {**self.distance.protocol, "frames": int(self.frames)}


def _at_least(values: Tensor, side: int) -> Tensor:
    if values.shape[-1] >= side:
        return values
    return F.interpolate(values, size=(side, side), mode="bilinear")
