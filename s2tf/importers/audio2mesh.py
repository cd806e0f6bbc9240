"""AniPortrait's audio2mesh: wav2vec 2.0 and two linear layers."""

from pathlib import Path

from s2tf.importers.mapping import Imported, load_mapped, read_state
from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.pretrained_speech import Wav2Vec2Features

OLD_NAMES = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
"""Names of the two factors of a normalised weight: in older releases of torch -> now."""
PREFIX = "audio_encoder."


def import_audio2mesh(path: str | Path) -> Imported:
    """Build audio2mesh with the weights of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not audio2mesh; the first tensors that differ are named.
    """
    speech = Wav2Vec2Features("random", trainable=True)
    network = AudioToMesh(speech)
    state = {_renamed(name): value for name, value in read_state(path).items()}
    theirs = {f"audio2mesh.speech.backbone.{name}": f"{PREFIX}{name}" for name in speech.backbone.state_dict()}
    for ours, layer in (("from_speech", "in_fn"), ("to_offsets", "out_fn")):
        theirs |= {f"audio2mesh.{ours}.{value}": f"{layer}.{value}" for value in ("weight", "bias")}
    unused = {"masked_spec_embed": "stands in masked places of pretraining, of which there are none"}
    left = load_mapped({"audio2mesh": network}, state, theirs, unused, str(path))
    speech.mark_trained()
    return Imported({"": network.eval()}, left)


def _renamed(name: str) -> str:
    start, dot, last = name.rpartition(".")
    return start + dot + OLD_NAMES.get(last, last)
