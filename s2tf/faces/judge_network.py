"""The judges' networks: small convolutional readers of a 64-pixel face, which no stage uses in training."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.network import Network

JUDGE_SIZE = 64
"""Side in pixels of the pictures that judges read, so that a higher resolution is no advantage."""


class FaceReader(Network):
    """Reads numbers off a face: (B, 3, 64, 64) in [-1, 1] to (B, outputs), standardised.

    Four strided convolutions with group normalisation, then a linear layer over the 4x4 map. The layer keeps positions:
    a mean over the map would lose the distances that shape a face.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, outputs: int, width: int = 16, hidden: int = 128) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 4 * width)
        layers: list[nn.Module] = []
        channels = 3
        for out_channels in widths:
            layers += [
                nn.Conv2d(channels, out_channels, 3, stride=2, padding=1),
                nn.GroupNorm(8, out_channels),
                nn.SiLU(),
            ]
            channels = out_channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("std", torch.ones(outputs))

    def fit_units(self, targets: Tensor) -> None:
        """Sets the units of the outputs to the mean and deviation of targets (N, outputs)."""
        self.mean.copy_(targets.mean(dim=0))
        # A target that never varies has no deviation; its error counts in its own unit.
        deviation = targets.std(dim=0)
        self.std.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def standardise(self, targets: Tensor) -> Tensor:
        """Targets (N, outputs) in the network's units; unchanged before `fit_units`."""
        return (targets - self.mean) / self.std

    def forward(self, image: Tensor) -> Tensor:
        """Outputs (B, outputs), in standard deviations, of pictures (B, 3, H, W) in [-1, 1] of any size."""
        if image.shape[-2:] != (JUDGE_SIZE, JUDGE_SIZE):
            image = F.interpolate(image, size=(JUDGE_SIZE, JUDGE_SIZE), mode="bilinear", antialias=True)
        return self.head(self.features(image))

    def read(self, image: Tensor) -> Tensor:
        """The outputs of `forward` in the units of the targets."""
        return self(image) * self.std + self.mean
