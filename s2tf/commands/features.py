"""Speech features of every clip: the shards again, with what HuBERT or wav2vec 2.0 gives for the whole recording."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.additions import Added
    from s2tf.commands.copying import OnClip
    from s2tf.models.speech_features import SpeechFeatures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.commands.copying import add_copy_arguments

    add_copy_arguments(parser)
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("--hubert", type=Path, metavar="FOLDER", help="of facebook/hubert-large-ls960-ft or the like")
    network.add_argument("--wav2vec2", type=Path, metavar="FOLDER", help="of facebook/wav2vec2-base-960h or the like")


def run(args: argparse.Namespace) -> int:
    """Compute, and print how much."""
    from s2tf.commands.copying import copy_with_progress
    from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features

    kind, folder = (HubertFeatures, args.hubert) if args.hubert else (Wav2Vec2Features, args.wav2vec2)
    # As an absolute path: a folder may be called `random`, which means something else.
    network = kind(str(folder.absolute()))
    return copy_with_progress(
        args,
        "speech features",
        lambda on_clip: write_features(args.shards, network, args.out, args.device, args.part, on_clip),
    )


def write_features(
    shards: Path,
    network: "SpeechFeatures",
    out: Path,
    device: str = "cpu",
    part: tuple[int, int] = (1, 1),
    on_clip: "OnClip | None" = None,
) -> "Added":
    """Copy `shards` to `out` with `features.npy` (2 T, C) in every sample that has sound.

    They are computed on the whole recording, as they are when a trained model is used. See
    `datamodules.additions.add_member`.

    Raises:
        FileNotFoundError: The shards are absent.
        ValueError: `out` holds other shards.
    """
    import numpy as np
    import torch

    from datamodules.additions import Addition, add_member
    from datamodules.samples import FEATURES, Sample

    about = {"dim": network.out_dim, "network": type(network).__name__, "fingerprint": network.fingerprint()}
    network.eval().to(device)

    @torch.no_grad()
    def describe(sample: Sample) -> np.ndarray | None:
        if not sample.record.samples:
            return None
        waveform = torch.from_numpy(sample.speech(0, sample.record.frames)).to(device)
        return network(waveform[None], sample.record.frames)[0].float().cpu().numpy()

    return add_member(shards, out, Addition(FEATURES, about, describe), part, on_clip)
