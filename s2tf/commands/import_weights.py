"""Public weights as networks of ours: every tensor is checked, and a file that does not fit is refused by name."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2tf.importers.mapping import Imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source",
        choices=sorted(SOURCES),
        help="vggface: vgg_face_dag.pth; wav2vec2, hubert: a folder of transformers; lia: vox.pt; codeformer: "
        "codeformer.pth; audio2mesh: audio2mesh.pt of AniPortrait; syncnet: syncnet_v2.model",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the file or folder, downloaded beforehand")
    parser.add_argument("--out", type=Path, required=True, help="folder of the network, or of one folder for each")


def run(args: argparse.Namespace) -> int:
    """Load, save, and say what it is and what was not needed."""
    from s2tf.errors import UserError

    try:
        imported = SOURCES[args.source](str(args.file.absolute()))
    except ValueError as error:
        raise UserError(str(error)) from error
    for name, network in imported.networks.items():
        network.save_pretrained(args.out / name)
        size = f"{network.parameter_count / 1e6:.1f} M"
        print(f"{type(network).__name__}, {size}, {network.fingerprint()}: {args.out / name}")
    for reason in sorted(set(imported.unused.values())):
        names = [name for name, why in imported.unused.items() if why == reason]
        print(
            f"not used, {reason}: {', '.join(names[:SHOWN])}"
            + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
        )
    return 0


def _vggface(file: str) -> "Imported":
    from s2tf.importers.mapping import Imported
    from s2tf.models.face_encoder import FaceEncoder

    return Imported({"": FaceEncoder(weights=file)})


def _wav2vec2(folder: str) -> "Imported":
    from s2tf.importers.mapping import Imported
    from s2tf.models.pretrained_speech import Wav2Vec2Features

    return Imported({"": Wav2Vec2Features(folder)})


def _hubert(folder: str) -> "Imported":
    from s2tf.importers.mapping import Imported
    from s2tf.models.pretrained_speech import HubertFeatures

    return Imported({"": HubertFeatures(folder)})


def _lia(file: str) -> "Imported":
    from s2tf.importers.lia import import_lia

    return import_lia(file)


def _codeformer(file: str) -> "Imported":
    from s2tf.importers.codeformer import import_codeformer

    return import_codeformer(file)


def _audio2mesh(file: str) -> "Imported":
    from s2tf.importers.audio2mesh import import_audio2mesh

    return import_audio2mesh(file)


def _syncnet(file: str) -> "Imported":
    from s2tf.importers.syncnet import import_syncnet

    return import_syncnet(file)


SHOWN = 3
SOURCES: "dict[str, Callable[[str], Imported]]" = {
    "vggface": _vggface,
    "wav2vec2": _wav2vec2,
    "hubert": _hubert,
    "lia": _lia,
    "codeformer": _codeformer,
    "audio2mesh": _audio2mesh,
    "syncnet": _syncnet,
}
