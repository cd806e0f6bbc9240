"""Public weights as a network of ours: every tensor is checked, and a file that does not fit is refused by name."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2tf.nn.network import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source",
        choices=sorted(SOURCES),
        help="vggface: vgg_face_dag.pth; wav2vec2, hubert: a folder of transformers",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the file or folder, downloaded beforehand")
    parser.add_argument("--out", type=Path, required=True, help="folder of the network")


def run(args: argparse.Namespace) -> int:
    """Load, save, and say what it is."""
    from s2tf.errors import UserError

    try:
        network = SOURCES[args.source](str(args.file.absolute()))
    except ValueError as error:
        raise UserError(str(error)) from error
    network.save_pretrained(args.out)
    print(f"{type(network).__name__}, {network.parameter_count / 1e6:.1f} M, {network.fingerprint()}: {args.out}")
    return 0


def _vggface(file: str) -> "Network":
    from s2tf.models.face_encoder import FaceEncoder

    return FaceEncoder(weights=file)


def _wav2vec2(folder: str) -> "Network":
    from s2tf.models.pretrained_speech import Wav2Vec2Features

    return Wav2Vec2Features(folder)


def _hubert(folder: str) -> "Network":
    from s2tf.models.pretrained_speech import HubertFeatures

    return HubertFeatures(folder)


SOURCES: dict[str, Callable[[str], "Network"]] = {"vggface": _vggface, "wav2vec2": _wav2vec2, "hubert": _hubert}
