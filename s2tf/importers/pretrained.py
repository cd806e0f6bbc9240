"""Published networks whose classes read the published files themselves."""

from s2tf.importers.mapping import Imported
from s2tf.models.face_encoder import ChannelOrder, FaceEncoder, FeaturePlace
from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features


def import_vggface(file: str, channel_order: ChannelOrder = "rgb", feature: FeaturePlace = "after_relu") -> Imported:
    """VGG-Face from `vgg_face_dag.pth`, by default as its author evaluates it, to compare faces."""
    note = (
        f"channel order {channel_order}, feature {feature} of fc7: `s2tf check-faces` tells on pictures which is right"
    )
    return Imported({"": FaceEncoder(weights=file, channel_order=channel_order, feature=feature)}, notes=[note])


def import_wav2vec2(folder: str) -> Imported:
    """Wav2vec 2.0 from a folder of transformers."""
    return Imported({"": Wav2Vec2Features(folder)})


def import_hubert(folder: str) -> Imported:
    """HuBERT from a folder of transformers."""
    return Imported({"": HubertFeatures(folder)})
