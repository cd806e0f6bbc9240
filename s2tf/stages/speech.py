"""What the two stages that read speech features share."""

from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.network import Network


def checked_features(speech_features: Network, feature_dim: int, reader: str) -> SpeechFeatures:
    """The features, if they are what the network `reader` expects.

    Raises:
        ValueError: they are no speech features, or of another width; the message names the keys.
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

    It keeps itself frozen, and comes back from its own folder. Learned weights of its layers stay in.
    """
    return tuple(f"speech_features.{part}" for part in speech_features.restorable_parts)
