"""Convolutional block attention (Woo et al. 2018): a gate over channels, then a gate over places."""

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.batch_norm import BatchNorm


class ChannelGate(nn.Module):
    """Scale each channel by a sigmoid computed from its average and its maximum over places.

    One shared two-layer perceptron, C to C/`reduction` to C, reads both; the two results are summed.

    Example:
        >>> ChannelGate(32)(torch.ones(2, 32, 4, 4)).shape
        torch.Size([2, 32, 4, 4])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.perceptron = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Gate `features`, shape (B, C, H, W)."""
        average = self.perceptron(features.mean(dim=(2, 3)))
        maximum = self.perceptron(features.amax(dim=(2, 3)))
        return features * torch.sigmoid(average + maximum)[:, :, None, None]


class SpatialGate(nn.Module):
    """Scale each place by a sigmoid of a 7×7 convolution over the channels' maximum and mean.

    Example:
        >>> SpatialGate()(torch.ones(2, 32, 4, 4)).shape
        torch.Size([2, 32, 4, 4])
    """

    def __init__(self, kernel_size: int = 7) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = BatchNorm(1, momentum=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """Gate `features`, shape (B, C, H, W)."""
        summary = torch.stack([features.amax(dim=1), features.mean(dim=1)], dim=1)
        return features * torch.sigmoid(self.norm(self.convolution(summary)))


class CBAM(nn.Sequential):
    """The channel gate followed by the spatial gate; keeps the shape (B, C, H, W).

    Example:
        >>> CBAM(32)(torch.zeros(2, 32, 8, 8)).shape
        torch.Size([2, 32, 8, 8])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__(ChannelGate(channels, reduction), SpatialGate())
