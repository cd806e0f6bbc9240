"""The judges' networks: small convolutional readers of a 64-pixel face, which no stage trains with."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.network import Network

JUDGE_SIZE = 64
"""The judges look at every picture at this size, so that a picture's resolution is no advantage."""


class FaceReader(Network):
    """Reads numbers off a face: (B, 3, 64, 64) in [-1, 1] to (B, outputs), standardised.

    Four strided convolutions with group normalisation, then a linear layer over the 4x4 map, which keeps where things
    are: a mean over the map would lose the very distances that shape a face.
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
        """Take the mean and deviation of (N, outputs) targets as the network's own."""
        self.mean.copy_(targets.mean(dim=0))
        # A target that never varies has nothing to be read: its error then counts in its own unit.
        deviation = targets.std(dim=0)
        self.std.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def standardise(self, targets: Tensor) -> Tensor:
        """(N, outputs) targets in the network's units; as they are before `fit_units`."""
        return (targets - self.mean) / self.std

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, outputs) in standard deviations; other sizes are brought to 64 x 64 first."""
        if image.shape[-2:] != (JUDGE_SIZE, JUDGE_SIZE):
            image = F.interpolate(image, size=(JUDGE_SIZE, JUDGE_SIZE), mode="bilinear", antialias=True)
        return self.head(self.features(image))

    def read(self, image: Tensor) -> Tensor:
        """As `forward`, in the units of the targets."""
        return self(image) * self.std + self.mean
