"""Parts of the 3×3 convolution blocks of the VGG encoder and its mirrored decoder."""

from typing import Literal

import torch.nn as nn

from s2tf.nn.batch_norm import BatchNorm

Norm = Literal["none", "batch", "group"]


def scaled_channels(channels: int, width: float) -> int:
    """The number of channels `channels` times `width`, a multiple of 4, so that it divides into groups; at least 4.

    Example:
        >>> scaled_channels(64, 0.3)
        20
    """
    return max(4, 4 * round(channels * width / 4))


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """The normalisation called `norm`.

    `none`, `batch`, or `group` with at most 32 groups of at least four channels. Group norm removes each picture's own
    mean and contrast, which a decoder then has to find again: it learns colours slowly.

    Raises:
        ValueError: `norm` is another name.

    Example:
        >>> make_norm("group", 64).num_groups
        16
    """
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return BatchNorm(channels)
    if norm == "group":
        groups = max(count for count in range(1, 33) if channels % count == 0 and channels // count >= 4)
        return nn.GroupNorm(groups, channels)
    raise ValueError(f"norm is {norm!r}, expected 'none', 'batch' or 'group'")


def initialise_relu_network(module: nn.Module) -> None:
    """Give every convolution and linear layer He's initial weights and zero biases: variance kept through ReLUs."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
