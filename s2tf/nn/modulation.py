"""Modulated convolution of StyleGAN2: the style scales the input channels, demodulation restores unit variance."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.blur import Blur
from s2tf.nn.equalised import BiasedLeakyReLU, EqualisedLinear

EPSILON = 1e-8


class ModulatedConv2d(nn.Module):
    """Convolution with the weight w'_oi = d_o s_i w_oi, s = A(style), d_o = 1 / sqrt(sum_i,k (s_i w_oik)^2).

    Input and output are scaled instead of the weight: the result is the same, with one convolution for the whole batch.
    With `up`, a transposed convolution and a blur double the sides.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel: side of the (odd) kernel.
        style_dim: length of the style vector.
        demodulate: divide each output channel by its expected standard deviation.
        up: double the sides.

    Example:
        >>> ModulatedConv2d(4, 8, kernel=3, style_dim=16, up=True)(torch.zeros(2, 4, 5, 5), torch.zeros(2, 16)).shape
        torch.Size([2, 8, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        style_dim: int,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.modulation = EqualisedLinear(style_dim, in_channels, bias=1.0)
        self.blur = Blur.after_transpose() if up else None
        self.scale = 1 / math.sqrt(in_channels * kernel**2)
        self.demodulate = demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, C_in, H, W) and (B, style_dim) -> (B, C_out, H, W), or twice the sides."""
        s = self.modulation(style)
        weight = self.weight * self.scale
        x = x * s[:, :, None, None]
        if self.blur is None:
            y = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        else:
            y = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return y * self._demodulation(weight, s)[:, :, None, None].to(y.dtype) if self.demodulate else y

    def _demodulation(self, weight: Tensor, s: Tensor) -> Tensor:
        # Squares of half-precision numbers overflow, so the sum is taken in at least float32.
        with torch.autocast(s.device.type, enabled=False):
            dtype = torch.promote_types(s.dtype, torch.float32)
            energy = weight.to(dtype).square().sum(dim=(2, 3))
            return torch.rsqrt(s.to(dtype).square() @ energy.T + EPSILON)


class StyledConv(nn.Module):
    """A modulated 3x3 convolution with bias and activation; doubles the sides with `up`.

    Example:
        >>> StyledConv(4, 8, style_dim=16)(torch.zeros(2, 4, 5, 5), torch.zeros(2, 16)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up=up)
        self.activation = BiasedLeakyReLU(out_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, C_in, H, W) and (B, style_dim) -> (B, C_out, H, W)."""
        return self.activation(self.conv(x, style))
