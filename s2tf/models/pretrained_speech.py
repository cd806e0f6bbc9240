"""Speech features of pretrained transformers: HuBERT, which the paper uses, and wav2vec 2.0, its ablation."""

from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.nn as nn
from torch import Tensor
from transformers import HubertConfig, HubertModel, PretrainedConfig, PreTrainedModel, Wav2Vec2Config, Wav2Vec2Model

from s2tf.models.speech_features import HOP, SAMPLE_RATE, SpeechFeatures, padded_to_hops
from s2tf.nn.transformers_folder import check_folder, one_line_errors
from s2tf.nn.weight_files import check_finite

Layers = Literal["last", "weighted"]

HUBERT_LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
"""The sizes of facebook/hubert-large-ls960-ft that differ from the defaults, for use without its folder."""

CHUNK = 20 * SAMPLE_RATE // HOP
"""Features computed in one piece, since the cost of attention grows with the square of the length."""
CONTEXT = SAMPLE_RATE // HOP
"""Features of context on both sides of a piece: one second."""


class _TransformerFeatures(SpeechFeatures):
    """The common base of HuBERT and wav2vec 2.0.

    The transformer reads pieces of at most 20 s with a second of context on both sides, so that memory does not grow
    with the square of the length; the normalisation still covers the whole waveform.
    """

    has_transformer = True
    model_class: type[PreTrainedModel]
    config_class: type[PretrainedConfig]
    key: str
    hint: str

    def __init__(
        self,
        weights: str,
        layers: Layers = "last",
        trainable: bool = False,
        config: dict[str, Any] | None = None,
    ) -> None:
        """Build the features.

        Args:
            weights: local folder of a transformers checkpoint (`config.json` and weights), or `random`: untrained
                weights of the sizes in `config`. A network saved by `save_pretrained` records `saved`.
            layers: `last` hidden state, or the `weighted` sum of all, whose weights (a softmax) are learned.
            trainable: True to train the transformer too; its convolutions stay frozen, as is usual.
            config: with `random`, entries of transformers' configuration that differ from its defaults.

        Raises:
            FileNotFoundError: `weights` is not a folder; the message names the key, and a way to get the weights.
            ValueError: `layers` or an entry of `config` is unknown, the folder lacks tensors, or the model does not
                give 50 features a second.
        """
        super().__init__()
        if layers not in ("last", "weighted"):
            raise ValueError(f"{self.key}.layers is {layers!r}, expected 'last' or 'weighted'")
        self.trainable, self.layers = trainable, layers
        self.backbone = self._build(weights, config)
        self.out_dim = self.backbone.config.hidden_size
        self.window = _receptive_field(self.backbone.config, self.key)
        states = self.backbone.config.num_hidden_layers + 1
        self.layer_weights = nn.Parameter(torch.zeros(states)) if layers == "weighted" else None
        self._freeze()

    @property
    def is_random(self) -> bool:
        """True if the transformer is neither pretrained nor trained."""
        return self.init_args["weights"] == "random"

    @property
    def restorable_parts(self) -> tuple[str, ...]:
        """The transformer, if it is frozen and came from a folder."""
        return () if self.trainable or self.is_random else ("backbone",)

    def mark_trained(self) -> None:
        """Record, when a training begins, that a trainable transformer is no longer random."""
        if self.trainable:
            self.init_args["weights"] = "saved"

    def train(self, mode: bool = True) -> "_TransformerFeatures":
        """Set the mode; a frozen transformer stays in evaluation mode."""
        super().train(mode)
        if not self.trainable:
            self.backbone.eval()
        return self

    def features(self, waveform: Tensor) -> Tensor:
        """The features of a normalised waveform (B, S): (B, S / 320, C)."""
        waveform = padded_to_hops(waveform, self.window, HOP)
        count = (waveform.shape[-1] - self.window) // HOP + 1
        pieces = [self._piece(waveform, start, min(start + CHUNK, count), count) for start in range(0, count, CHUNK)]
        return torch.cat(pieces, dim=1)

    def convolved(self, waveform: Tensor) -> Tensor:
        """See `SpeechFeatures.convolved`; they are frozen."""
        with torch.set_grad_enabled(False):
            return cast(Any, self.backbone).feature_extractor(waveform)

    def transformed(self, features: Tensor) -> Tensor:
        """See `SpeechFeatures.transformed`."""
        backbone = cast(Any, self.backbone)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trainable):
            hidden = backbone.feature_projection(features)
            # wav2vec 2.0 also gives the normalised features.
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            return backbone.encoder(hidden).last_hidden_state

    def _piece(self, waveform: Tensor, start: int, stop: int, count: int) -> Tensor:
        """Features `start` to `stop`, computed with their context."""
        first, last = max(0, start - CONTEXT), min(count, stop + CONTEXT)
        sound = waveform[:, first * HOP : (last - 1) * HOP + self.window]
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trainable):
            output = self.backbone(sound, output_hidden_states=self.layer_weights is not None)
        if self.layer_weights is None:
            states = output.last_hidden_state
        else:
            weights = torch.softmax(self.layer_weights, dim=0)
            states = sum(weight * state for weight, state in zip(weights, output.hidden_states, strict=True))
        return states[:, start - first : stop - first]

    def _build(self, weights: str, config: dict[str, Any] | None) -> PreTrainedModel:
        if weights in ("random", "saved"):
            return self.model_class(_quiet(self.config_class(**_known(config or {}, self.config_class, self.key))))
        if not (Path(weights) / "config.json").is_file():
            raise FileNotFoundError(
                f"{self.key}.weights is {weights!r}, which is no folder with a config.json: give the folder of "
                f"{self.hint}, downloaded beforehand, or 'random'"
            )
        try:
            check_folder(Path(weights), self.config_class.model_type)
        except ValueError as error:
            raise ValueError(f"{self.key}.weights: {error}") from error
        with one_line_errors(weights):
            loaded = _quiet(self.config_class.from_pretrained(weights, local_files_only=True))
            found: Any = self.model_class.from_pretrained(
                weights, config=loaded, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
        backbone, info = found
        # transformers fills missing tensors with random values and only logs a message about it.
        lacking = [str(name) for name in (*info["missing_keys"], *info["mismatched_keys"])]
        if lacking:
            raise ValueError(
                f"{self.key}.weights: {weights} does not fit its own config.json: tensors missing or of another shape: "
                f"{', '.join(sorted(lacking)[:3])}" + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
            )
        check_finite(backbone.state_dict(), weights)
        # The folder may not exist on the machine that loads the saved network: record arguments that do not need it.
        self.init_args["weights"] = "saved"
        self.init_args["config"] = {
            key: value for key, value in loaded.to_diff_dict().items() if key in self.config_class().to_dict()
        }
        return backbone

    def _freeze(self) -> None:
        self.backbone.requires_grad_(self.trainable)
        if self.trainable:
            # Its parameters, and its own switch: it asks for a gradient of the sound otherwise.
            cast(Any, self.backbone.feature_extractor)._freeze_parameters()
        else:
            self.backbone.eval()


class HubertFeatures(_TransformerFeatures):
    """HuBERT; the paper uses HuBERT-large (1024 channels)."""

    model_class = HubertModel
    config_class = HubertConfig
    key = "HubertFeatures"
    hint = "facebook/hubert-large-ls960-ft on the Hugging Face hub"


class Wav2Vec2Features(_TransformerFeatures):
    """wav2vec 2.0, the ablation of Tables VI and XI; base has 768 channels."""

    model_class = Wav2Vec2Model
    config_class = Wav2Vec2Config
    key = "Wav2Vec2Features"
    hint = "facebook/wav2vec2-base-960h on the Hugging Face hub"


def _quiet(config: PretrainedConfig) -> PretrainedConfig:
    """Remove the parts for pretraining: random masks fail on short speech, dropped layers break the weighted sum.

    The vector for masked places goes too: some public files lack it, and a new random one at each loading would change
    the fingerprint.
    """
    config.apply_spec_augment = False
    config.mask_time_prob = config.mask_feature_prob = 0.0
    config.layerdrop = 0.0
    return config


def _known(config: dict[str, Any], config_class: type[PretrainedConfig], key: str) -> dict[str, Any]:
    known = config_class().to_dict()
    for name in config:
        if name not in known:
            raise ValueError(f"{key}.config has the entry {name!r}, which {config_class.__name__} does not know")
    return config


def _receptive_field(config: PretrainedConfig, key: str) -> int:
    """Samples that one feature sees through the convolutions."""
    field, hop = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    if hop != HOP:
        raise ValueError(f"{key} has a feature every {hop} samples, expected {HOP} (50 a second at 16 kHz)")
    return field
