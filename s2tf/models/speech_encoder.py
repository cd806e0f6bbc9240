"""The speech encoder E_s: the voice encoder of Speech2Face with a CBAM module (section III-A.3 of the paper)."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.models.speech_embedder import SpeechEmbedder
from s2tf.nn.batch_norm import BatchNorm
from s2tf.nn.cbam import CBAM

CHANNELS = (64, 64, 128, 128, 128, 256, 512, 512, 512)
"""Channels of Speech2Face's nine convolutions."""
FREQUENCY_STRIDES = (1, 1, 1, 1, 1, 1, 1, 2, 2)
TIME_STRIDES = (1, 1, 1, 1, 1, 1, 1, 2, 2)
POOLED = (2, 3, 4, 5)
"""Convolutions, counted from 0, that a max-pool over two time steps follows."""
KERNEL = 4


class SpeechEncoder(SpeechEmbedder):
    """Encodes a spectrogram into a speech embedding z_s.

    It has nine unpadded 4×4 convolutions, each followed by ReLU and batch norm, with max-pools along time only. After
    the last one come CBAM (the paper does not give its place; in the last map 512 channels see the most context), the
    mean over time, so that speech may have any length, ReLU, batch norm, and two fully connected layers. At the default
    widths 598 × 257 input gives the 512 × 57 features of Speech2Face.
    """

    reads = "spectrogram"

    def __init__(
        self,
        dim: int = 4096,
        width: float = 1.0,
        hidden: int = 4096,
        frequency_bins: int = 257,
        channels: Sequence[int] = CHANNELS,
        time_strides: Sequence[int] = TIME_STRIDES,
        frequency_strides: Sequence[int] = FREQUENCY_STRIDES,
        pooled: Sequence[int] = POOLED,
        dropout: float = 0.0,
    ) -> None:
        """Build the encoder.

        Args:
            dim: size d of the embedding.
            width: factor on every entry of `channels`.
            hidden: width of the first fully connected layer.
            frequency_bins: F of the spectrogram.
            channels: channels of each convolution.
            time_strides: stride of each convolution along time.
            frequency_strides: stride of each convolution along frequency.
            pooled: convolutions, counted from 0, that are followed by a max-pool over two time steps.
            dropout: probability before each fully connected layer; Speech2Face has none.

        Raises:
            ValueError: the lists differ in length, or the strides leave no frequency.
        """
        super().__init__()
        if not len(channels) == len(time_strides) == len(frequency_strides):
            raise ValueError(
                f"channels, time_strides and frequency_strides have {len(channels)}, {len(time_strides)} and "
                f"{len(frequency_strides)} entries, expected one each per convolution"
            )
        self.dim = dim
        self.time_strides, self.pooled = tuple(time_strides), frozenset(pooled)
        # The convolutions, then the head on their mean over time.
        widths = [max(1, round(width * count)) for count in channels]
        strides = list(zip(time_strides, frequency_strides, strict=True))
        self.blocks = nn.Sequential(
            *(
                _block(c_in, c_out, stride, last=index == len(widths) - 1, pool=index in self.pooled)
                for index, (c_in, c_out, stride) in enumerate(zip([2, *widths[:-1]], widths, strides, strict=True))
            )
        )
        self.attention = CBAM(widths[-1])
        self.norm = BatchNorm(widths[-1])
        self.features = widths[-1] * _frequencies(frequency_bins, frequency_strides)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(self.features, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
        )

    @property
    def shortest(self) -> int:
        """The least number of spectrogram frames that the convolutions can take."""
        frames = 1
        for index in reversed(range(len(self.time_strides))):
            frames = frames * 2 if index in self.pooled else frames
            frames = (frames - 1) * self.time_strides[index] + KERNEL
        return frames

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Embed speech.

        Args:
            spectrogram: power-law compressed STFT, shape (B, 2, T, F).

        Returns:
            z_s, shape (B, dim).

        Raises:
            ValueError: the speech has fewer frames than the convolutions need; repeat it first.
        """
        if spectrogram.shape[2] < self.shortest:
            raise ValueError(f"the spectrogram has {spectrogram.shape[2]} frames, expected at least {self.shortest}")
        # Convolutions of few channels run nearly twice as fast on a CPU in this layout.
        spectrogram = spectrogram.contiguous(memory_format=torch.channels_last)
        features = self.attention(self.blocks(spectrogram)).mean(dim=2)
        return self.head(self.norm(torch.relu(features)).flatten(1))


def _block(c_in: int, c_out: int, stride: tuple[int, int], *, last: bool, pool: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(c_in, c_out, KERNEL, stride)]
    # The last map stays linear: ReLU and batch norm come after the mean over time.
    if not last:
        layers += [nn.ReLU(), BatchNorm(c_out)]
    if pool:
        layers.append(nn.MaxPool2d((2, 1)))
    return nn.Sequential(*layers)


def _frequencies(bins: int, strides: Sequence[int]) -> int:
    left = bins
    for stride in strides:
        left = (left - KERNEL) // stride + 1
    if left < 1:
        raise ValueError(f"frequency_bins is {bins}: frequency_strides {list(strides)} leave no frequency")
    return left
