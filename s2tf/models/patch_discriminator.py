"""The discriminator of portraits: judges patches, not whole faces, and shows the maps that it judges them by."""

import itertools
from typing import cast

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.network import Network

SLOPE = 0.2
"""Slope of the leaky ReLU for negative values."""


class PatchDiscriminator(Network):
    """Maps each picture to logits of its patches, high for real ones (Isola et al. 2017, PatchGAN).

    It is small beside a decoder: pixels are folded into channels first, and each of `halvings` strided convolutions has
    a head of its own, so that small patches (edges of eyes and hair) and large ones (half a face) are judged.
    """

    def __init__(self, channels: int = 64, fold: int = 2, halvings: int = 2) -> None:
        """Build the discriminator.

        Args:
            channels: channels before the first halving; twice as many behind it.
            fold: side of the squares of pixels that become channels.
            halvings: strided convolutions, each with a head; the pictures' side is a multiple of fold * 2**halvings.

        Raises:
            ValueError: a number is below 1.
        """
        super().__init__()
        if min(channels, fold, halvings) < 1:
            raise ValueError(f"channels {channels}, fold {fold}, halvings {halvings}: expected numbers of at least 1")
        self.fold = fold
        self.from_pixels = nn.Conv2d(3 * fold * fold, channels, 3, padding=1)
        widths = [channels, *[2 * channels] * halvings]
        pairs = itertools.pairwise(widths)
        self.convolutions = nn.ModuleList(nn.Conv2d(c_in, c_out, 3, 2, padding=1) for c_in, c_out in pairs)
        self.heads = nn.ModuleList(nn.Conv2d(c_out, 1, 1) for c_out in widths[1:])

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] -> logits (B, P) of the patches of all sizes."""
        return self.logits(self.maps(image))

    def maps(self, image: Tensor) -> list[Tensor]:
        """(B, 3, S, S) in [-1, 1] -> the maps of the folded pixels and of each halving, from the largest down."""
        # Convolutions of few channels run nearly twice as fast on a CPU in this layout.
        folded = F.pixel_unshuffle(image, self.fold).contiguous(memory_format=torch.channels_last)
        maps = [F.leaky_relu(self.from_pixels(folded), SLOPE)]
        for convolution in self.convolutions:
            maps.append(F.leaky_relu(convolution(maps[-1]), SLOPE))
        return maps

    def logits(self, maps: list[Tensor]) -> Tensor:
        """The logits (B, P) of maps that `maps` has computed."""
        heads = zip(self.heads, maps[1:], strict=True)
        return torch.cat([cast(nn.Module, head)(one).flatten(1) for head, one in heads], dim=1)
