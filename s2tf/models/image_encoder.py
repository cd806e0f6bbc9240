"""Image encoder E_f (Eq. 11 of the paper): a picture to one latent vector and a pyramid of feature maps, as in LIA."""

from dataclasses import dataclass

import torch.nn as nn
from torch import Tensor

from s2tf.nn.equalised import DownBlock, EqualisedBlock, EqualisedConv2d, octave_channels, octaves
from s2tf.nn.network import Network


@dataclass(frozen=True)
class EncodedImage:
    """What E_f makes of a picture."""

    latent: Tensor
    """(B, latent_dim)"""
    pyramid: tuple[Tensor, ...]
    """Feature maps from coarse to fine, sides 8, 16, ..., size: (B, C_side, side, side)."""


class ImageEncoder(Network):
    """Equalised 1x1 convolution, then StyleGAN2 residual blocks that halve the side down to 4, then a 4x4 convolution.

    Args:
        size: side of the picture in pixels, a power of two of at least 8.
        latent_dim: length of the latent vector.
        channel_base: the width at a side is channel_base / side ...
        channel_max: ... and at most this. 16384 and 512 are LIA's.
    """

    def __init__(
        self, size: int = 256, latent_dim: int = 512, channel_base: int = 16384, channel_max: int = 512
    ) -> None:
        super().__init__()
        sides = octaves(8, size, "size")[::-1]
        widths = [octave_channels(side, channel_base, channel_max) for side in (*sides, 4)]
        self.size = size
        self.latent_dim = latent_dim
        self.from_rgb = EqualisedBlock(3, widths[0], 1)
        self.blocks = nn.ModuleList(DownBlock(*pair) for pair in zip(widths, widths[1:], strict=False))
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
