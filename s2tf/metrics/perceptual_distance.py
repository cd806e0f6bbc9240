"""How far a picture is from the true one in the features of a network, frame by frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2tf.metrics.image import unit_range
from s2tf.metrics.judge_networks import JUDGE_SIZE, FaceReader
from s2tf.nn.lpips_network import FILES, Backbone, load_lpips
from s2tf.nn.network import weights_fingerprint

LPIPS_SIZE = 64
"""The least side that LPIPS's networks take, pixels; smaller pictures are brought to it."""


class PerceptualDistance(Protocol):
    """Compares frames."""

    name: str

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

    Raises:
        ValueError: the weights are random: such a distance is no LPIPS.
        FileNotFoundError: there is no such file.
    """

    name = "LPIPS"

    def __init__(self, weights: str, backbone: Backbone = "alex", device: str = "cpu") -> None:
        if weights == "random":
            raise ValueError("LPIPS of random weights is no metric: give the path of the backbone's weights")
        if not Path(weights).is_file():
            raise FileNotFoundError(f"{weights}: no such file, expected torchvision's {FILES[backbone]}")
        self.network, self.backbone, self.device = load_lpips(weights, backbone).to(device), backbone, device

    @property
    def protocol(self) -> dict[str, Any]:
        """The backbone and its weights."""
        return {"perceptual": f"LPIPS, {self.backbone}", "perceptual weights": weights_fingerprint(self.network)}

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


def _at_least(values: Tensor, side: int) -> Tensor:
    if values.shape[-1] >= side:
        return values
    return F.interpolate(values, size=(side, side), mode="bilinear")
