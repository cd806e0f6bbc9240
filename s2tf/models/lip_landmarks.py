"""Lip landmarks from speech: the audio2lmk module, after AniPortrait."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.network import Network

POINTS = 20


class TemporalBlock(nn.Module):
    """A residual dilated convolution over time on layer-normalised channels."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Conv1d(channels, channels, 3, dilation=dilation, padding=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Channels last: (B, T, C) to (B, T, C)."""
        update = self.mix(F.silu(self.widen(self.norm(hidden).transpose(1, 2))))
        return hidden + update.transpose(1, 2)


class LipLandmarks(Network):
    """Maps speech features and a reference's lips to the lips of every frame.

    As in AniPortrait, one linear layer maps the features to `hidden` channels. Another, whose weights start at zero,
    maps them to an offset on the reference's lips, which keep their own shape. Two things differ:

    - Between the two, `context` dilated convolutions (reach 1, 2, 4, ... frames) see the neighbouring speech. Log-mel
      features need them; HuBERT's have already seen it, and 0 is AniPortrait's form.
    - The reference's lips are an input as well: its mouth may be open, and the network must know that to close it.
      (AniPortrait lets the user choose a frame with a neutral mouth.)
    """

    def __init__(self, feature_dim: int = 1024, hidden: int = 512, context: int = 0, dropout: float = 0.0) -> None:
        """Build the network.

        Args:
            feature_dim: channels C of the speech features.
            hidden: width of the hidden layers.
            context: number of dilated convolutions over time.
            dropout: probability on the hidden channels before the last layer.
        """
        super().__init__()
        self.feature_dim = feature_dim
        self.from_speech = nn.Linear(2 * feature_dim, hidden)
        self.from_reference = nn.Linear(2 * POINTS, hidden, bias=False)
        self.blocks = nn.ModuleList(TemporalBlock(hidden, 2**index) for index in range(context))
        self.dropout = nn.Dropout(dropout)
        self.to_offset = nn.Linear(hidden, 2 * POINTS)
        nn.init.zeros_(self.to_offset.weight)
        nn.init.zeros_(self.to_offset.bias)

    def forward(self, features: Tensor, reference_lips: Tensor) -> Tensor:
        """Move the reference's lips with the speech.

        Args:
            features: speech features, two per frame, shape (B, 2 T, C).
            reference_lips: canonical lips of any frame of the speaker, shape (B, 20, 2).

        Returns:
            Canonical lips, shape (B, T, 20, 2).

        Raises:
            ValueError: the features are odd in number or of another width.
        """
        speech = paired(features, self.feature_dim)
        hidden = self.from_speech(speech) + self.from_reference(reference_lips.flatten(1))[:, None]
        for block in self.blocks:
            hidden = block(hidden)
        offset = self.to_offset(self.dropout(hidden))
        return reference_lips[:, None] + offset.unflatten(-1, (POINTS, 2))


def paired(features: Tensor, feature_dim: int) -> Tensor:
    """Put the two features of each frame side by side: (B, 2 T, C) to (B, T, 2 C).

    Raises:
        ValueError: the features are odd in number or of another width than `feature_dim`.
    """
    if features.ndim != 3 or features.shape[1] % 2 or features.shape[2] != feature_dim:
        raise ValueError(f"the features have shape {tuple(features.shape)}, expected (B, 2 T, {feature_dim})")
    return torch.reshape(features, (len(features), features.shape[1] // 2, 2 * feature_dim))
