"""Shards written again with the motion codes of every clip."""

from pathlib import Path

import numpy as np
import torch

from datamodules.shards.add_member import CopyReport, NewMember, OnClip, add_member
from datamodules.shards.samples import MOTION, Sample
from s2tf.faces.crop import resize
from s2tf.models.motion_autoencoder import MotionAutoencoder, encoders_of
from s2tf.runs.finished import MOTION_ENCODER


def write_codes(
    shards: Path,
    autoencoder: Path,
    out: Path,
    device: str = "cpu",
    part: tuple[int, int] = (1, 1),
    on_clip: "OnClip | None" = None,
    batch: int = 64,
) -> "CopyReport":
    """Copy `shards` to `out` with `motion.npy` (T, m) in every sample; see `datamodules.shards.add_member.add_member`.

    Raises:
        FileNotFoundError: the shards or the autoencoder's folder are absent.
        ValueError: `out` holds other shards.
    """
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

    return add_member(shards, out, NewMember(MOTION, about, encode), part, on_clip)
