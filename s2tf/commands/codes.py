"""Motion codes of every clip: the shards again, with the codes that motion diffusion learns from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.additions import Added
    from s2tf.commands.copying import OnClip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.commands.copying import add_copy_arguments

    add_copy_arguments(parser)
    parser.add_argument("--autoencoder", type=Path, required=True, help="RUN/networks/motion_autoencoder")


def run(args: argparse.Namespace) -> int:
    """Encode, and print how much."""
    from s2tf.commands.copying import copy_with_progress

    return copy_with_progress(
        args,
        "motion codes",
        lambda on_clip: write_codes(args.shards, args.autoencoder, args.out, args.device, args.part, on_clip),
    )


def write_codes(
    shards: Path,
    autoencoder: Path,
    out: Path,
    device: str = "cpu",
    part: tuple[int, int] = (1, 1),
    on_clip: "OnClip | None" = None,
    batch: int = 64,
) -> "Added":
    """Copy `shards` to `out` with `motion.npy` (T, m) in every sample; see `datamodules.additions.add_member`.

    Raises:
        FileNotFoundError: the shards or the autoencoder's folder are absent.
        ValueError: `out` holds other shards.
    """
    import numpy as np
    import torch

    from datamodules.additions import Addition, add_member
    from datamodules.samples import MOTION, Sample
    from s2tf.commands.assemble import MOTION_ENCODER, encoders_of
    from s2tf.media.faces import resize
    from s2tf.models.motion_autoencoder import MotionAutoencoder

    network = MotionAutoencoder.from_pretrained(autoencoder)
    about = {
        "dim": network.motion_dim,
        "network": type(network).__name__,
        "fingerprint": network.fingerprint(),
        MOTION_ENCODER: encoders_of(network),
    }
    network.to(device)

    @torch.no_grad()
    def encode(sample: Sample) -> np.ndarray:
        codes = []
        for start in range(0, sample.record.frames, batch):
            frames = [resize(frame, network.input_size) for frame in sample.frames(start, start + batch)]
            pictures = torch.from_numpy(np.stack(frames)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
            codes.append(network.encode_motion(pictures).float().cpu())
        return torch.cat(codes).numpy()

    return add_member(shards, out, Addition(MOTION, about, encode), part, on_clip)
