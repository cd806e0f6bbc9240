"""Speech features at 50 Hz, exactly two per frame of 25-fps video: the condition of the motion models.

Feature i describes the sound around sample 320 i + 160, so features 2k and 2k + 1 lie evenly in frame k, which covers
samples 640 k to 640 (k + 1). Every class pads the waveform by half the difference of its analysis window and its hop.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.nn.network import Network

SAMPLE_RATE = 16000
HOP = 320
"""Samples per feature: 20 ms."""
SAMPLES_PER_FRAME = 2 * HOP
SILENCE = 1e-7
"""Added to the variance, as in the feature extractors of HuBERT and wav2vec 2.0, so that silence stays silent."""


class SpeechFeatures(Network):
    """The interface of speech features; subclasses set `out_dim` and give the features of a normalised waveform.

    Attributes:
        out_dim: number C of channels.
        trainable: True if the features are trained along with the network that reads them.
    """

    out_dim: int
    trainable: bool
    has_transformer: bool = False
    """True if the network has the two parts `convolved` and `transformed`, as AniPortrait's speech network."""

    @property
    def is_random(self) -> bool:
        """True if frozen features come from weights that were never trained, which outputs must record."""
        return False

    @property
    def restorable_parts(self) -> tuple[str, ...]:
        """Names of the parts whose weights come from a file and are not trained: checkpoints can leave them out."""
        return ()

    def forward(self, waveform: Tensor, frames: int, level: Tensor | None = None) -> Tensor:
        """Describe speech, two features per frame.

        The waveform is normalised to zero mean and unit variance over its whole length: give whole recordings, or
        pieces of them with the recording's level.

        Args:
            waveform: 16 kHz mono, shape (B, S).
            frames: number T of video frames at 25 a second; round(S / 640), at least 1.
            level: mean and variance (B, 2) of the recordings that the waveforms are pieces of; None: their own.

        Returns:
            Features, shape (B, 2 T, C). Where the sound ends within the last frame, the last feature is repeated.

        Raises:
            ValueError: the waveform is empty, or longer or shorter than the frames by more than one of them.
        """
        _check_length(waveform, frames)
        features = self.features(normalised(waveform, level))[:, : 2 * frames]
        missing = 2 * frames - features.shape[1]
        return torch.cat([features, features[:, -1:].expand(-1, missing, -1)], dim=1)

    def features(self, waveform: Tensor) -> Tensor:
        """All features of a normalised waveform (B, S): (B, about S / 320, C), at least one."""
        raise NotImplementedError

    def convolved(self, waveform: Tensor) -> Tensor:
        """Convolutional features of a normalised waveform (B, S): (B, C', N), to be resampled to the frames."""
        raise NotImplementedError

    def transformed(self, features: Tensor) -> Tensor:
        """The transformer's output (B, T, out_dim) for convolutional features (B, T, C')."""
        raise NotImplementedError


def normalised(waveform: Tensor, level: Tensor | None = None) -> Tensor:
    """Each row of a waveform (B, S) at zero mean and unit variance over its whole length, or by the `level` (B, 2)."""
    if level is not None:
        mean, variance = level.to(waveform)[:, :, None].unbind(1)
        return (waveform - mean) / torch.sqrt(variance + SILENCE)
    centred = waveform - waveform.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + SILENCE)


def padded_to_hops(waveform: Tensor, window: int, hop: int) -> Tensor:
    """Pad a waveform (B, S) with zeros, so that it has S / hop windows of `window` samples, at least one."""
    before = (window - hop) // 2
    after = window - hop - before
    return F.pad(waveform, (before, after + max(0, hop - waveform.shape[-1])))


def _check_length(waveform: Tensor, frames: int) -> None:
    if waveform.ndim != 2:
        raise ValueError(f"the waveform has shape {tuple(waveform.shape)}, expected (B, S)")
    samples = waveform.shape[-1]
    if frames < 1 or samples < 1 or abs(samples - frames * SAMPLES_PER_FRAME) > SAMPLES_PER_FRAME:
        raise ValueError(
            f"a waveform of {samples} samples does not belong to {frames} frames: expected "
            f"{frames * SAMPLES_PER_FRAME} samples, 640 a frame, within one frame"
        )
