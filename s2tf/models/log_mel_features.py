"""Speech features without pretrained weights: log-mel spectra and a small stack of trained convolutions."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.speech_features import SAMPLE_RATE, SpeechFeatures, padded_to_hops

WINDOW = 400
"""Samples of a window: 25 ms."""
MEL_HOP = 160
"""Samples between two windows: 10 ms, half of a feature's."""
FFT = 512
FLOOR = 1e-3
"""Power below which sound counts as silence, relative to speech of unit variance."""


class LogMelFeatures(SpeechFeatures):
    """Log-mel spectra at 100 Hz, then convolutions that halve the rate to 50 Hz."""

    def __init__(self, out_dim: int = 64, mels: int = 80, layers: int = 2, trainable: bool = True) -> None:
        """Build the features.

        Args:
            out_dim: number C of channels.
            mels: mel bands from 0 to 8 kHz.
            layers: residual convolutions at 50 Hz; each widens the context by 20 ms on both sides.
            trainable: False freezes the convolutions as they are.
        """
        super().__init__()
        self.out_dim, self.trainable = out_dim, trainable
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", mel_filters(mels), persistent=False)
        self.halve = nn.Conv1d(mels, out_dim, 4, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv1d(out_dim, out_dim, 3, padding=1) for _ in range(layers))
        if not trainable:
            self.requires_grad_(False)

    def features(self, waveform: Tensor) -> Tensor:
        """Compute the features of a normalised waveform (B, S): (B, about S / 320, C)."""
        spectra = self.log_mel(waveform)
        # An odd number of spectra ends within a feature: its second half repeats the first.
        spectra = F.pad(spectra, (0, spectra.shape[-1] % 2), mode="replicate")
        hidden = self.halve(spectra)
        for layer in self.layers:
            hidden = hidden + layer(F.silu(hidden))
        return hidden.transpose(1, 2)

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Log-mel spectra of a normalised waveform (B, S), about zero mean and unit deviation: (B, mels, S / 160)."""
        waveform = padded_to_hops(waveform, FFT, MEL_HOP)
        spectrum = torch.stft(
            waveform, FFT, MEL_HOP, WINDOW, self.get_buffer("window"), center=False, return_complex=True
        )
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        mel = self.get_buffer("filters") @ power
        low, high = math.log(FLOOR), math.log(WINDOW)
        return (torch.log(mel + FLOOR) - (low + high) / 2) / ((high - low) / 4)


def mel_filters(mels: int) -> Tensor:
    """Triangles of equal area on the mel scale m = 2595 log10(1 + f / 700) from 0 to 8 kHz, (mels, FFT // 2 + 1)."""
    top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, mels + 2, dtype=torch.float64) / 2595) - 1)
    frequency = torch.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1, dtype=torch.float64)
    rise = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    triangles = torch.minimum(rise, fall).clamp(min=0)
    # The lowest bands may be too narrow to contain a bin: they get the bin nearest to their centre.
    empty = triangles.sum(dim=1) == 0
    nearest = (frequency - edges[1:-1, None]).abs().argmin(dim=1)
    triangles[empty, nearest[empty]] = 1.0
    return (triangles / triangles.sum(dim=1, keepdim=True)).float()
