"""audio2lmk as pipelines and evaluations use it: either network, from speech and a reference's lips to lips."""

from torch import Tensor

from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.network import Network


def check_lips(network: Network, features: SpeechFeatures | None, space: bool) -> None:
    """Check that a network of the lips has its features, and lips of the kind that a motion autoencoder reads.

    Args:
        network: an `AudioToMesh`, whose lips are in space, or a `LipLandmarks`, whose lips are in the plane.
        features: the speech features of `LipLandmarks`.
        space: True if the autoencoder's motion reader reads lips in space.

    Raises:
        ValueError: It is another network, has no features, or gives the other kind of lips.
    """
    if not isinstance(network, AudioToMesh | LipLandmarks):
        raise ValueError(f"lip_landmarks is a {type(network).__name__}, expected an AudioToMesh or a LipLandmarks")
    if isinstance(network, LipLandmarks) and features is None:
        raise ValueError("lip_features is missing: a LipLandmarks reads speech features")
    own = isinstance(network, AudioToMesh)
    if own != space:
        kinds = {True: "in space (data.init_args.space: true)", False: "in the plane (space: false)"}
        raise ValueError(
            f"lip_landmarks is a {type(network).__name__}, which gives lips {kinds[own]}, but the motion autoencoder "
            f"was trained on lips {kinds[space]}: train one of the two again"
        )


def lips_from_speech(
    network: Network,
    features: SpeechFeatures | None,
    waveform: Tensor,
    frames: int,
    reference_lips: Tensor,
    computed: Tensor | None = None,
) -> Tensor:
    """Canonical lips (B, T, 20, D) for the speech of whole recordings.

    Args:
        network: the network of the lips, see `check_lips`.
        features: the speech features of `LipLandmarks`.
        waveform: 16 kHz mono, (B, S).
        frames: number T of frames of the speech.
        reference_lips: (B, 20, D) canonical lips of any frame of the speaker.
        computed: (B, 2 T, C) speech features, where they are known already.
    """
    if isinstance(network, AudioToMesh):
        return network.lips(waveform, frames, reference_lips)
    if computed is None:
        assert features is not None
        computed = features(waveform, frames)
    return network(computed, reference_lips)
