"""Discriminator D (Eq. 17 of the paper): StyleGAN2's residual discriminator, as in LIA."""

import itertools

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.equalised import (
    BiasedLeakyReLU,
    DownBlock,
    EqualisedBlock,
    EqualisedLinear,
    octave_channels,
    octaves,
)
from s2tf.nn.network import Network

DEVIATION_FLOOR = 1e-8


class Discriminator(Network):
    """Maps each picture to a logit, high for real ones.

    Args:
        size: side of the pictures in pixels.
        channel_base: the width at a side is channel_base / side ...
        channel_max: ... and at most this. 16384 and 512 are LIA's.
        group: pictures that share a minibatch standard deviation; in use is the batch's greatest divisor up to it.
    """

    def __init__(self, size: int = 256, channel_base: int = 16384, channel_max: int = 512, group: int = 4) -> None:
        super().__init__()
        widths = [octave_channels(side, channel_base, channel_max) for side in octaves(4, size, "size")[::-1]]
        last = widths[-1]
        self.group = group
        self.from_rgb = EqualisedBlock(3, widths[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(*pair) for pair in itertools.pairwise(widths)))
        self.final = EqualisedBlock(last + 1, last, 3)
        self.head = nn.Sequential(EqualisedLinear(last * 16, last), BiasedLeakyReLU(last), EqualisedLinear(last, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, size, size) in [-1, 1] -> logits (B,)."""
        x = self.blocks(self.from_rgb(image))
        x = self.final(torch.cat([x, self._deviation(x)], dim=1))
        return self.head(x.flatten(1)).squeeze(1)

    def _deviation(self, x: Tensor) -> Tensor:
        """The standard deviation within each group, averaged over the features: (B, 1, 4, 4)."""
        batch = len(x)
        group = next(size for size in range(min(self.group, batch), 0, -1) if batch % size == 0)
        grouped = x.float().view(group, batch // group, *x.shape[1:])
        deviation = (grouped.var(dim=0, unbiased=False) + DEVIATION_FLOOR).sqrt().mean(dim=(1, 2, 3))
        return deviation.repeat(group).view(batch, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)
