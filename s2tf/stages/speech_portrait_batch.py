"""The speech of a `SpeechPortraitBatch` in the form for an encoder and in the form for a preview."""

from typing import Any, cast

import torch
from torch import Tensor

from s2tf.batches import SpeechPortraitBatch
from s2tf.nn.network import Network


def speech_of(batch: SpeechPortraitBatch, speech_encoder: Network) -> Tensor:
    """The form of a batch's speech that the encoder reads: its spectrogram or its waveform."""
    return cast(Any, batch)[cast(Any, speech_encoder).reads]


def spectrogram_map(batch: SpeechPortraitBatch) -> Tensor:
    """(B, F, T) magnitudes of a batch's spectrograms, for previews."""
    return torch.linalg.vector_norm(batch["spectrogram"].float(), dim=1).transpose(1, 2)
