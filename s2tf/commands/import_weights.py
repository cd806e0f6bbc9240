"""Import public weights as networks of s2tf; every tensor is checked, and the error names one that does not fit."""

import argparse
import importlib
from pathlib import Path

from s2tf.commands.console import announce
from s2tf.commands.options import add_out_folder, user_errors
from s2tf.errors import UserError

_IMPORTERS = {
    "vggface": "pretrained.import_vggface",
    "wav2vec2": "pretrained.import_wav2vec2",
    "hubert": "pretrained.import_hubert",
    "lia": "lia.import_lia",
    "codeformer": "codeformer.import_codeformer",
    "audio2mesh": "audio2mesh.import_audio2mesh",
    "syncnet": "syncnet.import_syncnet",
}
"""Source -> function of `s2tf.importers`; only the requested one is loaded."""
_SHOWN = 3
"""Greatest number of unused tensors that are named for each reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source",
        choices=sorted(_IMPORTERS),
        help="vggface: vgg_face_dag.pth; wav2vec2, hubert: a folder of transformers; lia: vox.pt; codeformer: "
        "codeformer.pth; audio2mesh: audio2mesh.pt of AniPortrait; syncnet: syncnet_v2.model",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the downloaded file or folder")
    add_out_folder(parser, "folder for the network, or for a folder of each network")
    group = parser.add_argument_group("vggface")
    group.add_argument("--channel-order", choices=["rgb", "bgr"], help="channels that the network sees (default: rgb)")
    group.add_argument(
        "--feature",
        choices=["before_relu", "after_relu"],
        help="place of the feature, before or after the ReLU of fc7 (default: after_relu)",
    )


def run(args: argparse.Namespace) -> int:
    """Load and save the networks, and print their names and the tensors that were not used."""
    module, _, function = _IMPORTERS[args.source].partition(".")
    announce(f"reading {args.file}")
    words = {name: value for name in ("channel_order", "feature") if (value := getattr(args, name)) is not None}
    if words and args.source != "vggface":
        raise UserError(f"--{min(words).replace('_', '-')} has no effect on {args.source}, expected vggface")
    with user_errors():
        read = getattr(importlib.import_module(f"s2tf.importers.{module}"), function)
        imported = read(str(args.file.absolute()), **words)
    for name, network in imported.networks.items():
        network.save_pretrained(args.out / name)
        size = f"{network.parameter_count / 1e6:.1f} M"
        print(f"{type(network).__name__}, {size}, {network.fingerprint()}: {args.out / name}")
    for note in imported.notes:
        print(note)
    for reason in sorted(set(imported.unused.values())):
        names = [name for name, why in imported.unused.items() if why == reason]
        more = f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
        print(f"not used, {reason}: {', '.join(names[:_SHOWN])}{more}")
    return 0
