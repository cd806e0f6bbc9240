"""Lip guider and lip refiner G_R (Eq. 13 of the paper): rendered lip landmarks refine the warped latents."""

import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.equalised import octave_channels, octaves
from s2tf.nn.lips import mouth_region, render_lips
from s2tf.nn.network import Network
from s2tf.nn.vq_blocks import ResidualBlock


class LipGuider(Network):
    """Maps the lip landmarks' picture to guidance maps z_l by convolutions that halve the side, one map at each scale.

    Args:
        size: side of the landmarks' picture in pixels.
        coarsest: side of the coarsest guidance.
        finest: side of the finest guidance.
        channels: width at full size; it doubles with each halving of the side, as in AniPortrait's pose guider ...
        channel_max: ... up to this.
    """

    def __init__(
        self, size: int = 256, coarsest: int = 8, finest: int = 64, channels: int = 16, channel_max: int = 128
    ) -> None:
        super().__init__()
        if not coarsest <= finest <= size:
            raise ValueError(f"lip guider: coarsest {coarsest}, finest {finest}: expected coarsest <= finest <= {size}")
        self.size = size
        sides = octaves(coarsest, size, "size")[::-1]
        widths = [min(channels * 2**n, channel_max) for n in range(len(sides))]
        self.first = nn.Sequential(nn.Conv2d(3, widths[0], 3, padding=1), nn.SiLU())
        self.downs = nn.ModuleList(_halving(*pair) for pair in itertools.pairwise(widths))
        self.widths = {side: width for side, width in zip(sides, widths, strict=True) if side <= finest}
        """Width of the guidance by its side."""

    def forward(self, points: Tensor) -> dict[int, Tensor]:
        """Placed lips (B, 20, 2) in picture units -> z_l (B, C, side, side) by side."""
        x = self.first(render_lips(points, self.size))
        guidance = {self.size: x}
        for down in self.downs:
            x = down(x)
            guidance[x.shape[-1]] = x
        return {side: guidance[side] for side in self.widths}


class LipRefiner(Network):
    """The refiner G_R: z_wr = z_w + r (z_w * scale + shift), with scale and shift from z_w and z_l.

    r is the region around the mouth, which protects the rest of the face. The last layer starts at zero, so that
    training starts from z_wr = z_w; the guider does not, since two zero layers in a row would never get a gradient.

    Args:
        guider: the lip guider, whose sides are the scales that are refined.
        channel_base: width times side of the warped latents, the image encoder's.
        channel_max: greatest width of the warped latents, the image encoder's.
        hidden: greatest width inside the refiner.
    """

    def __init__(self, guider: LipGuider, channel_base: int = 16384, channel_max: int = 512, hidden: int = 128) -> None:
        super().__init__()
        self.guider = guider
        self.merges = nn.ModuleDict(
            {
                str(side): _Merge(octave_channels(side, channel_base, channel_max), width, hidden)
                for side, width in guider.widths.items()
            }
        )

    def forward(self, pyramid: tuple[Tensor, ...], points: Tensor) -> tuple[Tensor, ...]:
        """Refine the warped pyramid z_w, maps (B, C, side, side), by placed lips (B, 20, 2); returns z_wr alike."""
        guidance = self.guider(points)
        refined = []
        for z_w in pyramid:
            side = z_w.shape[-1]
            if side in guidance:
                change = self.merges[str(side)](z_w, guidance[side])
                z_w = z_w + mouth_region(points, side) * change
            refined.append(z_w)
        return tuple(refined)


class _Merge(nn.Module):
    """Scale and shift of one scale's latents from the latents and their guidance."""

    def __init__(self, channels: int, guidance_channels: int, hidden: int) -> None:
        super().__init__()
        width = min(channels, hidden)
        self.block = ResidualBlock(channels + guidance_channels, width)
        self.out = nn.Conv2d(width, 2 * channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, z_w: Tensor, z_l: Tensor) -> Tensor:
        """The change of z_w (B, C, S, S)."""
        scale, shift = self.out(F.silu(self.block(torch.cat([z_w, z_l], dim=1)))).chunk(2, dim=1)
        return z_w * scale + shift


def _halving(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.SiLU(),
    )
