"""Motion codes of every clip, computed by a trained motion autoencoder and stored in a copy of the shards."""

from pathlib import Path

import numpy as np
import torch

from datamodules.shards.add_member import CopyReport
from datamodules.shards.samples import MOTION, Sample
from datamodules.shards.sources import ShardSource, open_source
from s2tf.faces.crop import resize
from s2tf.media.pictures import to_tensor
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.precompute.copying import ShardCopy, copy_with_member
from s2tf.runs.finished import MOTION_ENCODER


def write_codes(copy: ShardCopy, autoencoder: Path, device: str = "cpu", batch: int = 64) -> CopyReport:
    """Copy shards with `motion.npy` (T, m) in every sample.

    Args:
        copy: Source and destination of the copy, and the part to do.
        autoencoder: Folder of the motion autoencoder, RUN/networks/motion_autoencoder.
        device: Device of the autoencoder.
        batch: Number of frames that are encoded together.

    Raises:
        FileNotFoundError: The shards or the autoencoder's folder are absent.
        ValueError: The new folder holds other shards, or the shards hold portraits only.
    """
    open_source(ShardSource(str(copy.shards))).require_all_frames("s2tf codes")
    network = MotionAutoencoder.from_pretrained(autoencoder)
    about = {MOTION_ENCODER: network.encoder_fingerprints()}

    @torch.no_grad()
    def encode(sample: Sample) -> np.ndarray:
        codes = []
        for start in range(0, sample.record.frames, batch):
            frames = [resize(frame, network.input_size) for frame in sample.frames(start, start + batch)]
            codes.append(network.encode_motion(to_tensor(np.stack(frames), device)).float().cpu())
        return torch.cat(codes).numpy()

    return copy_with_member(copy, MOTION, network.to(device), network.motion_dim, encode, about)
