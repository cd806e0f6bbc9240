"""Opens readers of faces by their names on the command line: `judges`, `vggface=FILE` and so on."""

from pathlib import Path

from rich.console import Console

from s2tf.errors import UserError
from s2tf.evaluation.judge_training import JudgeData, cache_root, load_judges
from s2tf.faces.attributes import AttributeReader
from s2tf.faces.classifier import AttributeClassifier
from s2tf.faces.facepp import FacePlusPlus, keys_from_environment
from s2tf.faces.features import FaceFeatures, NetworkFeatures
from s2tf.faces.judges import JudgeReader
from s2tf.faces.motion import DetectedMotion, JudgedMotion, MotionFinder
from s2tf.metrics.perceptual_distance import LPIPS, JudgeDistance, PerceptualDistance
from s2tf.models.face_encoder import FaceEncoder


def open_faces(text: str, device: str, console: Console) -> FaceFeatures:
    """Open the network that `--faces` names.

    Raises:
        UserError: The text has none of the known forms.
        FileNotFoundError: The file is absent.
        ValueError: The weights do not fit, or are random.
    """
    kind, _, path = text.partition("=")
    if kind == "judges" and not path:
        return _judges(console)
    if kind == "vggface" and path:
        return NetworkFeatures.vggface(path, device)
    if kind == "network" and path:
        encoder = FaceEncoder.from_pretrained(path)
        return NetworkFeatures(encoder, Path(path).name, encoder.init_args["image_size"], device)
    raise UserError(f"--faces {text}: expected vggface=FILE, network=FOLDER or judges")


def open_attributes(text: str, device: str, console: Console) -> AttributeReader | None:
    """Open the reader that `--attributes` names; the answers of a paid service are stored for all runs.

    Raises:
        UserError: The text has none of the known forms, or a key of Face++ is not in the environment.
        FileNotFoundError: A folder is absent.
        ValueError: A classifier reads neither gender nor age.
    """
    kind, _, path = text.partition("=")
    if kind == "none" and not path:
        return None
    if kind == "judges" and not path:
        return _judges(console)
    if kind == "facepp" and not path:
        return FacePlusPlus(*keys_from_environment(), answers=cache_root() / "facepp.jsonl")
    if kind == "classifier" and path:
        return AttributeClassifier([Path(folder) for folder in path.split(",")], device)
    raise UserError(f"--attributes {text}: expected facepp, classifier=FOLDER[,FOLDER], judges or none")


def open_motion(text: str, console: Console) -> MotionFinder | None:
    """Open the reader that `--landmarks` names.

    Raises:
        UserError: The text has none of the known forms, or the package or its weights are absent.
    """
    if text == "none":
        return None
    if text == "judges":
        return JudgedMotion(_judges(console).judges)
    if text in ("mediapipe", "face-alignment"):
        try:
            return DetectedMotion(text)
        except ImportError as error:
            raise UserError(str(error)) from error
    raise UserError(f"--landmarks {text}: expected judges, mediapipe, face-alignment or none")


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
