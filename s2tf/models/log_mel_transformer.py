"""wav2vec 2.0's transformer made narrow, on log-mel features in place of its convolutions."""

from typing import Any, cast

from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2Model

from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.speech_features import SpeechFeatures


class LogMelTransformer(SpeechFeatures):
    """The speech network of `AudioToMesh` for trainings without pretrained weights.

    The convolutions of wav2vec 2.0 on the waveform are pretrained and stay frozen; a short training cannot learn them.
    Log-mel spectra with two trained convolutions (`LogMelFeatures`) stand in their place, at the same 50 Hz.

    Args:
        out_dim: number of channels.
        layers: layers of the transformer.
        heads: heads of its attention.
        positions: features that its convolutional position embedding sees, an even number.
        dropout: probability in the transformer.
        mels: mel bands.
    """

    has_transformer = True
    trainable = True

    def __init__(
        self,
        out_dim: int = 64,
        layers: int = 2,
        heads: int = 4,
        positions: int = 16,
        dropout: float = 0.0,
        mels: int = 80,
    ) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.log_mel = LogMelFeatures(out_dim, mels)
        config = Wav2Vec2Config(
            hidden_size=out_dim,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * out_dim,
            num_conv_pos_embeddings=positions,
            num_conv_pos_embedding_groups=heads,
            hidden_dropout=dropout,
            attention_dropout=dropout,
            activation_dropout=dropout,
            layerdrop=0.0,
            apply_spec_augment=False,
            mask_time_prob=0.0,
            do_stable_layer_norm=True,
            conv_dim=(8,),
            conv_stride=(1,),
            conv_kernel=(1,),
        )
        self.encoder = Wav2Vec2Model(config).encoder

    def features(self, waveform: Tensor) -> Tensor:
        """All features of a normalised waveform (B, S): (B, about S / 320, C)."""
        return self.transformed(self.convolved(waveform).transpose(1, 2))

    def convolved(self, waveform: Tensor) -> Tensor:
        """See `SpeechFeatures.convolved`."""
        return self.log_mel.features(waveform).transpose(1, 2)

    def transformed(self, features: Tensor) -> Tensor:
        """See `SpeechFeatures.transformed`."""
        return cast(Any, self.encoder)(features).last_hidden_state
