"""Opens readers of faces by their names on the command line: `judges`, `vggface=FILE` and so on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from s2tf.errors import UserError
from s2tf.evaluation.judge_training import JudgeData, cache_root, load_judges
from s2tf.faces.attributes import AttributeReader
from s2tf.faces.backends import LANDMARK_FINDERS
from s2tf.faces.classifier import AttributeClassifier
from s2tf.faces.dlib_networks import DlibFeatures
from s2tf.faces.facepp import FacePlusPlus, keys_from_environment
from s2tf.faces.features import FaceFeatures, NetworkFeatures, SeveralFeatures
from s2tf.faces.judges import JudgeReader
from s2tf.faces.motion import DetectedMotion, JudgedMotion, MotionFinder
from s2tf.metrics.perceptual_distance import LPIPS, JudgeDistance, PerceptualDistance
from s2tf.models.face_encoder import CHANNEL_ORDERS, FEATURE_PLACES, FaceEncoder

FACES = "vggface=FILE[,bgr][,before_relu], network=FOLDER, dlib or judges"
"""Values of `--faces`, in words."""


def open_faces(given: str | Sequence[str], device: str, console: Console) -> FaceFeatures:
    """Open the network that `--faces` names, or several beside each other.

    Args:
        given: Text of the option, or the texts where it is repeated; numbers of the first one have no label.
        device: Device of the networks; dlib's is on the CPU.
        console: Console that shows the training of judges, if there are none yet.

    Raises:
        UserError: A text has none of the known forms, is given twice, or the package of a network is absent.
        FileNotFoundError: The file is absent.
        ValueError: The weights do not fit, or are random.
    """
    texts = [given] if isinstance(given, str) else list(given)
    for text in texts:
        if texts.count(text) > 1:
            raise UserError(f"--faces {text}: given twice, expected different networks")
    networks: dict[str, FaceFeatures] = {}
    for number, text in enumerate(texts, start=1):
        kind, _, path = text.partition("=")
        label = Path(path).name if kind == "network" else kind
        label = f"{label} {number}" if label in networks else label
        networks[label] = _open_network(text, device, console)
    return SeveralFeatures(networks) if len(networks) > 1 else networks[label]


def _open_network(text: str, device: str, console: Console) -> FaceFeatures:
    kind, _, path = text.partition("=")
    if kind == "judges" and not path:
        return _judges(console)
    if kind == "dlib" and not path:
        try:
            return DlibFeatures()
        except ImportError as error:
            raise UserError(f"--faces dlib: {error}") from error
    if kind == "vggface" and path:
        file, words = input_and_output(path)
        return NetworkFeatures.vggface(file, device, **words)
    if kind == "network" and path:
        encoder = FaceEncoder.from_pretrained(path)
        return NetworkFeatures(encoder, Path(path).name, encoder.init_args["image_size"], device)
    raise UserError(f"--faces {text}: expected {FACES}")


def input_and_output(text: str) -> tuple[str, dict[str, Any]]:
    """Split `FILE[,bgr][,before_relu]` into the file and the words for VGGFace's channel order and feature.

    Example:
        >>> input_and_output("a,b.pth,bgr")
        ('a,b.pth', {'channel_order': 'bgr'})
    """
    words: dict[str, Any] = {}
    names = dict.fromkeys(CHANNEL_ORDERS, "channel_order") | dict.fromkeys(FEATURE_PLACES, "feature")
    file, comma, word = text.rpartition(",")
    while comma and word in names and names[word] not in words:
        words[names[word]] = word
        text = file
        file, comma, word = text.rpartition(",")
    return text, words


def open_attributes(text: str, device: str, console: Console, required: bool = False) -> AttributeReader | None:
    """Open the reader that `--attributes` names; the answers of a paid service are stored for all runs.

    Args:
        text: Value of the option; `none` for no reader.
        device: Device of classifiers.
        console: Console for the training of judges that are not there yet.
        required: True to refuse `none`.

    Raises:
        UserError: The text has none of the known forms, or a key of Face++ is not in the environment.
        FileNotFoundError: A folder is absent.
        ValueError: A classifier reads neither gender nor age.
    """
    kind, _, path = text.partition("=")
    if kind == "none" and not path and not required:
        return None
    if kind == "judges" and not path:
        return _judges(console)
    if kind == "facepp" and not path:
        return FacePlusPlus(*keys_from_environment(), answers=cache_root() / "facepp.jsonl")
    if kind == "classifier" and path:
        return AttributeClassifier([Path(folder) for folder in path.split(",")], device)
    forms = ["facepp", "classifier=FOLDER[,FOLDER]", "judges", *([] if required else ["none"])]
    raise UserError(f"--attributes {text}: expected {', '.join(forms[:-1])} or {forms[-1]}")


def open_motion(text: str, console: Console) -> MotionFinder | None:
    """Open the reader that `--landmarks` names.

    Raises:
        UserError: The text has none of the known forms, or the package or its weights are absent.
    """
    if text == "none":
        return None
    if text == "judges":
        return JudgedMotion(_judges(console).judges)
    if text in LANDMARK_FINDERS:
        try:
            return DetectedMotion(text)
        except ImportError as error:
            raise UserError(str(error)) from error
    raise UserError(f"--landmarks {text}: expected judges, mediapipe, face-alignment, dlib or none")


def open_perceptual(text: str, device: str, console: Console) -> PerceptualDistance | None:
    """Open the distance that `--perceptual` names.

    Raises:
        UserError: The text has none of the known forms.
        FileNotFoundError: The file is absent.
        ValueError: The weights do not fit, or are random.
    """
    kind, _, path = text.partition("=")
    if kind == "none" and not path:
        return None
    if kind == "judges" and not path:
        return JudgeDistance(_judges(console).judges.networks["face"])
    if kind in ("alex", "vgg") and path:
        return LPIPS(path, "alex" if kind == "alex" else "vgg", device)
    raise UserError(f"--perceptual {text}: expected alex=FILE, vgg=FILE (LPIPS on that backbone), judges or none")


def _judges(console: Console) -> JudgeReader:
    return JudgeReader(load_judges(JudgeData(), console))
