"""Image encoder E_f (Eq. 11 of the paper): a picture to one latent vector and a pyramid of feature maps, as in LIA."""

import itertools
from dataclasses import dataclass
from typing import Literal

import torch.nn as nn
from torch import Tensor

from s2tf.nn.equalised import DownBlock, EqualisedBlock, EqualisedConv2d, colours_in, octave_channels, octaves
from s2tf.nn.export import register_for_export
from s2tf.nn.network import Network
from s2tf.nn.vq_blocks import group_norm

BlockKind = Literal["residual", "normalised"]


@register_for_export
@dataclass(frozen=True)
class EncodedImage:
    """The output of E_f for a picture."""

    latent: Tensor
    """(B, latent_dim)"""
    pyramid: tuple[Tensor, ...]
    """Feature maps from coarse to fine, sides 8, 16, ..., size: (B, C_side, side, side)."""


class ImageEncoder(Network):
    """The encoder E_f: an equalised 1x1 convolution, blocks that halve the side down to 4, and a 4x4 convolution.

    Args:
        size: side of the picture in pixels, a power of two of at least 8.
        latent_dim: length of the latent vector.
        channel_base: the width at a side is channel_base / side ...
        channel_max: ... and at most this. 16384 and 512 are LIA's.
        blocks: "residual", StyleGAN2's residual blocks as in LIA; or "normalised", one strided convolution with group
            normalisation each, which costs a third and finds pose in hundreds of steps rather than thousands.
    """

    def __init__(
        self,
        size: int = 256,
        latent_dim: int = 512,
        channel_base: int = 16384,
        channel_max: int = 512,
        blocks: BlockKind = "residual",
    ) -> None:
        super().__init__()
        sides = octaves(8, size, "size")[::-1]
        widths = [octave_channels(side, channel_base, channel_max) for side in (*sides, 4)]
        self.size = size
        self.latent_dim = latent_dim
        self.from_rgb = EqualisedBlock(3, widths[0], 1)
        colours_in(self.from_rgb)
        block = DownBlock if blocks == "residual" else _NormalisedBlock
        self.blocks = nn.ModuleList(block(*pair) for pair in itertools.pairwise(widths))
        self.to_latent = EqualisedConv2d(widths[-1], latent_dim, 4, bias=False)

    def forward(self, image: Tensor) -> EncodedImage:
        """Encode (B, 3, size, size) pictures in [-1, 1].

        Raises:
            ValueError: the pictures have another size.
        """
        if image.shape[-2:] != (self.size, self.size):
            raise ValueError(f"pictures of {tuple(image.shape[-2:])} pixels, the image encoder's size is {self.size}")
        x = self.from_rgb(image)
        pyramid = []
        for block in self.blocks:
            pyramid.append(x)
            x = block(x)
        return EncodedImage(self.to_latent(x).flatten(1), tuple(pyramid[::-1]))


class _NormalisedBlock(nn.Sequential):
    """(B, C_in, H, W) -> (B, C_out, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        super().__init__(convolution, group_norm(out_channels), nn.SiLU())
