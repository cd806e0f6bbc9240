"""Blocks of VQ autoencoders: group-normalised residual blocks, self-attention over positions, and controlled fusion."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

NORM_GROUPS = 32
CHANNELS_IN_GROUP = 2
"""Least number of channels in a group, as in CodeFormer's narrowest layer."""


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation in 32 groups, or fewer for narrow widths.

    Example:
        >>> group_norm(128).num_groups, group_norm(16).num_groups
        (32, 8)
    """
    return nn.GroupNorm(math.gcd(NORM_GROUPS, max(1, channels // CHANNELS_IN_GROUP)), channels, eps=1e-6)


class ResidualBlock(nn.Module):
    """Norm, swish and 3x3 convolution, twice, added to the input: (B, C_in, H, W) -> (B, C_out, H, W).

    Example:
        >>> ResidualBlock(4, 8)(torch.zeros(1, 4, 3, 3)).shape
        torch.Size([1, 8, 3, 3])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = group_norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = group_norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        return self.conv2(F.silu(self.norm2(hidden))) + self.skip(x)


class PositionAttention(nn.Module):
    """Single-head self-attention over the positions of a map, added to the input: (B, C, H, W) -> same.

    Example:
        >>> PositionAttention(4)(torch.zeros(1, 4, 3, 3)).shape
        torch.Size([1, 4, 3, 3])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend and add."""
        normed = self.norm(x)
        q, k, v = (layer(normed).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return x + self.out(attended.reshape(x.shape))


class Upsample(nn.Module):
    """Nearest doubling and a 3x3 convolution: (B, C, H, W) -> (B, C, 2 H, 2 W).

    Example:
        >>> Upsample(4)(torch.zeros(1, 4, 3, 3)).shape
        torch.Size([1, 4, 6, 6])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Double the sides."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Fusion(nn.Module):
    """CodeFormer's controllable feature transformation: x + w (x * scale + shift).

    Scale and shift come from a residual block over the faithful features and `x`; w = 0 leaves `x`, the pure
    codebook, and w = 1 is the most faithful.

    The scale grows with the magnitude of `x`, so that x * scale grows with the square of `x`, at each level again: at
    the demo's learning rates a clip of real faces reached 2e21 and then NaN after 256 steps. `normalise` keeps the
    scale's input at unit variance, and thus the growth linear.

    Args:
        in_channels: width of the faithful features; a 1x1 convolution changes it to `channels` where it differs.
        channels: width of `x`.
        normalise: normalise the input of scale and shift; CodeFormer does not, and its public weights then do not fit.

    Example:
        >>> Fusion(8, 16)(torch.zeros(1, 16, 4, 4), torch.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 16, 4, 4])
    """

    def __init__(self, in_channels: int, channels: int, normalise: bool = False) -> None:
        super().__init__()
        self.adapter = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()
        self.encode = ResidualBlock(2 * channels, channels)
        self.norm = group_norm(channels) if normalise else nn.Identity()
        self.scale = self._head(channels)
        self.shift = self._head(channels)

    def forward(self, x: Tensor, faithful: Tensor, fidelity: float | Tensor = 1.0) -> Tensor:
        """Fuse (B, in_channels, H, W) into `x` (B, channels, H, W) with the weight w = `fidelity`, or (B, 1, 1, 1)."""
        encoded = self.norm(self.encode(torch.cat([self.adapter(faithful), x], dim=1)))
        return x + fidelity * (x * self.scale(encoded) + self.shift(encoded))

    @staticmethod
    def _head(channels: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
