"""Add to the shards the speech features of every clip, by HuBERT or wav2vec 2.0; writes new shards."""

import argparse
from pathlib import Path

from s2tf.commands.console import copy_with_progress
from s2tf.commands.options import add_copy_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_copy_arguments(parser)
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument(
        "--hubert", type=Path, metavar="FOLDER", help="local copy of a HuBERT, such as facebook/hubert-large-ls960-ft"
    )
    network.add_argument(
        "--wav2vec2",
        type=Path,
        metavar="FOLDER",
        help="local copy of a wav2vec 2.0, such as facebook/wav2vec2-base-960h",
    )


def run(args: argparse.Namespace) -> int:
    """Compute the features of every clip, and print the number of clips."""
    from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features
    from s2tf.precompute.copying import ShardCopy
    from s2tf.precompute.speech_features import write_features

    kind, folder = (HubertFeatures, args.hubert) if args.hubert else (Wav2Vec2Features, args.wav2vec2)
    # An absolute path, since the bare word `random` means random weights even if a folder has that name.
    network = kind(str(folder.absolute()))
    copy_with_progress(
        "speech features",
        args.out,
        args.part,
        lambda on_clip: write_features(ShardCopy(args.shards, args.out, args.part, on_clip), network, args.device),
    )
    return 0
