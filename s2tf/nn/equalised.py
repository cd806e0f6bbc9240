"""Equalised layers: weights start with unit variance and are scaled at run time, as in StyleGAN2 and LIA."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.blur import Blur

LEAK = 0.2
GAIN = math.sqrt(2)


def octave_channels(side: int, channel_base: int, channel_max: int) -> int:
    """The width of a feature map of `side` pixels: `channel_base / side`, at most `channel_max`.

    16384 and 512 give LIA's table (32: 512, 64: 256, 128: 128, 256: 64).

    Example:
        >>> [octave_channels(side, 16384, 512) for side in (8, 64, 256)]
        [512, 256, 64]
    """
    return max(1, min(channel_max, channel_base // side))


def octaves(first: int, last: int, name: str) -> list[int]:
    """The powers of two from `first` to `last`, both included.

    Raises:
        ValueError: `last` is not a power of two, or less than `first`; `name` is its key in the message.

    Example:
        >>> octaves(8, 64, "size")
        [8, 16, 32, 64]
    """
    if last < first or last & (last - 1):
        raise ValueError(f"{name} is {last}, expected a power of two of at least {first}")
    return [2**n for n in range(first.bit_length() - 1, last.bit_length())]


class EqualisedConv2d(nn.Module):
    """Convolution whose weight is scaled by 1 / sqrt(fan in): (B, C_in, H, W) -> (B, C_out, H', W').

    Example:
        >>> EqualisedConv2d(3, 8, kernel=3, padding=1)(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel**2)
        self.stride = stride
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x`."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class EqualisedLinear(nn.Module):
    """Linear layer whose weight is scaled by 1 / sqrt(in_features): (..., in) -> (..., out).

    Example:
        >>> EqualisedLinear(4, 2)(torch.zeros(3, 4)).tolist()
        [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, in_features: int, out_features: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.full((out_features,), bias))
        self.scale = 1 / math.sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to the last dimension of `x`."""
        return F.linear(x, self.weight * self.scale, self.bias)


class BiasedLeakyReLU(nn.Module):
    """A learned bias per channel, then a leaky ReLU of slope 0.2 scaled by sqrt 2, which keeps the variance.

    Example:
        >>> BiasedLeakyReLU(1)(torch.tensor([[2.0], [-10.0]]) / GAIN).round().tolist()
        [[2.0], [-2.0]]
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Activate (B, C, ...)."""
        bias = self.bias.view(1, -1, *[1] * (x.ndim - 2))
        return F.leaky_relu(x + bias, LEAK) * GAIN


class EqualisedBlock(nn.Sequential):
    """Optional blur, equalised convolution ("same" or stride 2), biased leaky ReLU.

    Example:
        >>> EqualisedBlock(3, 8, kernel=3, down=True)(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, down: bool = False) -> None:
        layers: list[nn.Module] = []
        if down:
            layers.append(Blur.before_stride(kernel))
        stride, padding = (2, 0) if down else (1, kernel // 2)
        layers.append(EqualisedConv2d(in_channels, out_channels, kernel, stride, padding, bias=False))
        layers.append(BiasedLeakyReLU(out_channels))
        super().__init__(*layers)


class DownBlock(nn.Module):
    """StyleGAN2's residual block of the discriminator: (B, C_in, H, W) -> (B, C_out, H/2, W/2).

    Example:
        >>> DownBlock(3, 8)(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = EqualisedBlock(in_channels, in_channels, 3)
        self.conv2 = EqualisedBlock(in_channels, out_channels, 3, down=True)
        self.skip = nn.Sequential(Blur.halving(), EqualisedConv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both paths, scaled to unit variance."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / GAIN


def colours_in(block: EqualisedBlock) -> None:
    """Start a 1x1 block on colours so that its first six channels are the colours and their negatives, activated.

    `colours_out` turns them back into the colours, so that a warper between the two starts by copying the picture.
    Narrower blocks keep their random weights.
    """
    convolution = block[0]
    assert isinstance(convolution, EqualisedConv2d)
    if len(convolution.weight) >= 6:
        with torch.no_grad():
            signed = torch.cat([torch.eye(3), -torch.eye(3)])
            convolution.weight[:6, :, 0, 0] = signed / convolution.scale


def colours_out(convolution: EqualisedConv2d) -> None:
    """Start a 1x1 convolution to colours as the inverse of `colours_in`; narrower ones keep their random weights."""
    if convolution.weight.shape[1] >= 6:
        with torch.no_grad():
            signed = torch.cat([torch.eye(3), -torch.eye(3)], dim=1)
            convolution.weight.zero_()
            convolution.weight[:, :6, 0, 0] = signed / (convolution.scale * GAIN * (1 + LEAK))
