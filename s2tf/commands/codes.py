"""Motion codes of every clip: the shards again, with the codes that motion diffusion learns from."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shards", type=Path, help="a shard folder of `s2tf prepare`")
    parser.add_argument("--autoencoder", type=Path, required=True, help="RUN/networks/motion_autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="the new shard folder")
    parser.add_argument("--device", default="cpu", help="where to encode, such as cuda (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Encode, and print how much."""
    from s2tf.errors import UserError

    try:
        count = write_codes(args.shards, args.autoencoder, args.out, args.device)
    except ValueError as error:
        raise UserError(str(error)) from error
    print(f"{count} clips with motion codes: {args.out}")
    return 0


def write_codes(shards: Path, autoencoder: Path, out: Path, device: str = "cpu", batch: int = 64) -> int:
    """Copy `shards` to `out` with `motion.npy` (T, m) in every sample; returns the number of clips.

    Raises:
        FileNotFoundError: the shards or the autoencoder's folder are absent.
        ValueError: `out` holds shards already.
    """
    import numpy as np
    import torch

    from datamodules.samples import Sample
    from datamodules.shards import copy_with_motion
    from s2tf.media.faces import resize
    from s2tf.models.motion_autoencoder import MotionAutoencoder

    network = MotionAutoencoder.from_pretrained(autoencoder).to(device)
    done = 0

    def count(samples: int, total: int) -> None:
        nonlocal done
        done = samples

    @torch.no_grad()
    def encode(sample: Sample) -> np.ndarray:
        codes = []
        for start in range(0, sample.record.frames, batch):
            frames = [resize(frame, network.input_size) for frame in sample.frames(start, start + batch)]
            pictures = torch.from_numpy(np.stack(frames)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
            codes.append(network.encode_motion(pictures).float().cpu())
        return torch.cat(codes).numpy()

    copy_with_motion(shards, out, encode, count)
    return done
