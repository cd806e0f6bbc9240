"""The speech features of the motion stages: checks, their place in checkpoints, and features stored in the data."""

import lightning as L
from torch import Tensor

from s2tf.batches import MotionSequenceBatch
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.network import Network


def checked_features(speech_features: Network, feature_dim: int, reader: str) -> SpeechFeatures:
    """Return the features, after a check that they fit the network `reader`.

    Raises:
        ValueError: they are not speech features, or have another width; the message names the keys.
    """
    if not isinstance(speech_features, SpeechFeatures):
        raise ValueError(f"speech_features is a {type(speech_features).__name__}, expected a SpeechFeatures")
    if speech_features.out_dim != feature_dim:
        raise ValueError(
            f"{reader}.feature_dim is {feature_dim}, expected {speech_features.out_dim}, the width of speech_features"
        )
    return speech_features


def restorable(speech_features: SpeechFeatures) -> tuple[str, ...]:
    """Names for `Stage.frozen`: a frozen pretrained transformer stays out of the checkpoints.

    It freezes itself and is loaded from its own folder; learned weights of its layers stay in the checkpoints.
    """
    return tuple(f"speech_features.{part}" for part in speech_features.restorable_parts)


def features_of(batch: MotionSequenceBatch, speech_features: SpeechFeatures, frames: int) -> Tensor:
    """Return the speech features (B, 2 T, C) of a batch: the stored features if it has them, else the network's."""
    return batch["features"] if "features" in batch else speech_features(batch["waveform"], frames, batch.get("level"))


def check_stored_features(trainer: L.Trainer, speech_features: SpeechFeatures) -> None:
    """Check that the data's stored features, if any, come from this network.

    Raises:
        ValueError: They come from another network, or the network is trained.
    """
    stored = getattr(getattr(trainer, "datamodule", None), "stored_features", None)
    if stored is None:
        return
    if any(parameter.requires_grad for parameter in speech_features.parameters()):
        raise ValueError(
            "data.init_args.features: stored features do not change, but model.init_args.speech_features is trained "
            "(trainable: true, or layers: weighted); set one of the two to false, or layers to last"
        )
    fingerprint = speech_features.fingerprint()
    if fingerprint != stored["fingerprint"]:
        raise ValueError(
            f"data.init_args.features: the shards hold features of {stored['network']} {stored['fingerprint']}, but "
            f"model.init_args.speech_features is {type(speech_features).__name__} {fingerprint}: `s2tf features` "
            "writes the features of this network"
        )
