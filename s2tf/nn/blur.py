"""Finite-impulse-response blur (1, 3, 3, 1), alone or with a change of resolution by two."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_kernel(gain: float = 1.0) -> Tensor:
    """The outer product (4, 4) of the taps (1, 3, 3, 1), whose sum is `gain`.

    Example:
        >>> fir_kernel()[0, 1].item() * 64
        3.0
    """
    taps = torch.tensor(TAPS)
    kernel = torch.outer(taps, taps)
    return kernel * (gain / kernel.sum())


class Blur(nn.Module):
    """Pad by `pad` pixels before and after and filter each channel: (B, C, H, W) -> (B, C, H + a + b - 3, ...).

    With `stride` 2 only every second pixel of the result is computed.

    Example:
        >>> Blur.halving()(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 3, 4, 4])
    """

    kernel: Tensor

    def __init__(self, pad: tuple[int, int], gain: float = 1.0, stride: int = 1) -> None:
        super().__init__()
        self.pad = pad
        self.stride = stride
        self.register_buffer("kernel", fir_kernel(gain), persistent=False)

    @classmethod
    def before_stride(cls, kernel: int) -> "Blur":
        """The blur in front of an unpadded convolution of `kernel` pixels and stride 2, so that sides halve."""
        total = len(TAPS) - 2 + kernel - 1
        return cls(((total + 1) // 2, total // 2))

    @classmethod
    def halving(cls) -> "Blur":
        """The blur and sub-sampling by two together."""
        return cls((1, 1), stride=2)

    @classmethod
    def after_transpose(cls) -> "Blur":
        """The blur behind an unpadded transposed 3x3 convolution of stride 2 (2 H + 1 pixels), so that sides double."""
        return cls((1, 1), gain=4.0)

    def forward(self, x: Tensor) -> Tensor:
        """Blur `x`."""
        before, after = self.pad
        channels = x.shape[1]
        weight = self.kernel.to(x.dtype).expand(channels, 1, *self.kernel.shape)
        if before == after:
            return F.conv2d(x, weight, stride=self.stride, padding=before, groups=channels)
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=self.stride, groups=channels)


class FirUpsample(nn.Module):
    """Double the sides with the FIR (1, 3, 3, 1): (B, C, H, W) -> (B, C, 2 H, 2 W).

    Example:
        >>> FirUpsample()(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 3, 8, 8])
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", fir_kernel(4.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Up-sample `x`."""
        channels = x.shape[1]
        weight = self.kernel.to(x.dtype).expand(channels, 1, *self.kernel.shape)
        return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)
