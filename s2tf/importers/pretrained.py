"""Published networks whose classes read the published files themselves."""

from s2tf.importers.mapping import Imported
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features


def import_vggface(file: str) -> Imported:
    """VGG-Face from `vgg_face_dag.pth`."""
    return Imported({"": FaceEncoder(weights=file)})


def import_wav2vec2(folder: str) -> Imported:
    """Wav2vec 2.0 from a folder of transformers."""
    return Imported({"": Wav2Vec2Features(folder)})


def import_hubert(folder: str) -> Imported:
    """HuBERT from a folder of transformers."""
    return Imported({"": HubertFeatures(folder)})
