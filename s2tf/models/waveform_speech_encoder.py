"""The speech encoder of Table VI's second row: wav2vec 2.0 in place of the CNN."""

from typing import Any

import torch.nn as nn
from torch import Tensor

from s2tf.models.pretrained_speech import Wav2Vec2Features
from s2tf.models.speech_embedder import SpeechEmbedder
from s2tf.models.speech_features import SAMPLES_PER_FRAME


class WaveformSpeechEncoder(SpeechEmbedder):
    """Encodes a waveform into z_s: the mean over time of wav2vec 2.0's last hidden state, then two linear layers.

    The paper only says that a pretrained wav2vec replaces the CNN. The head is the CNN's own, so that the two rows
    differ only in the part that reads the sound. The transformer is trained too, since its pretraining does not
    separate speakers. The CNN's rate of 1e-3 would destroy that pretraining: the ablation's YAML sets a smaller one.
    """

    reads = "waveform"

    def __init__(
        self,
        weights: str,
        dim: int = 4096,
        hidden: int = 4096,
        trainable: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        """Build the encoder.

        Args:
            weights: local folder of a transformers checkpoint of wav2vec 2.0, or `random`.
            dim: size d of the embedding.
            hidden: width of the first linear layer.
            trainable: True to train the transformer too; its convolutions stay frozen.
            config: with `random`, entries of transformers' configuration.

        Raises:
            FileNotFoundError: `weights` is not a folder.
        """
        super().__init__()
        self.dim = dim
        self.features = Wav2Vec2Features(weights, trainable=trainable, config=config)
        # The folder may not exist on the machine that loads the saved network: record arguments that do not need it.
        self.init_args["weights"] = self.features.init_args["weights"]
        self.init_args["config"] = self.features.init_args["config"]
        self.norm = nn.LayerNorm(self.features.out_dim)
        self.head = nn.Sequential(nn.Linear(self.features.out_dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    @property
    def is_random(self) -> bool:
        """True if the transformer is neither pretrained nor trained."""
        return self.features.is_random

    def mark_trained(self) -> None:
        """Record, when a training begins, that a trainable transformer is no longer random."""
        self.features.mark_trained()
        self.init_args["weights"] = self.features.init_args["weights"]

    def forward(self, waveform: Tensor) -> Tensor:
        """Embed speech.

        Args:
            waveform: 16 kHz mono, shape (B, S).

        Returns:
            z_s, shape (B, dim).
        """
        frames = max(1, round(waveform.shape[-1] / SAMPLES_PER_FRAME))
        return self.head(self.norm(self.features(waveform, frames).mean(dim=1)))
