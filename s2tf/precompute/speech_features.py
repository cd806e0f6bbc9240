"""Speech features of every clip, computed by a pretrained network and stored in a copy of the shards."""

import numpy as np
import torch

from datamodules.shards.add_member import CopyReport
from datamodules.shards.samples import FEATURES, Sample
from s2tf.models.speech_features import SpeechFeatures
from s2tf.precompute.copying import ShardCopy, copy_with_member


def write_features(copy: ShardCopy, network: SpeechFeatures, device: str = "cpu") -> CopyReport:
    """Copy shards with `features.npy` (2 T, C) in every sample that has sound.

    The features are computed on the whole recording, as in the use of a trained model.

    Args:
        copy: Source and destination of the copy, and the part to do.
        network: The speech features to compute.
        device: Device to compute on.

    Raises:
        FileNotFoundError: The shards are absent.
        ValueError: The new folder holds other shards.
    """
    network.eval().to(device)

    @torch.no_grad()
    def describe(sample: Sample) -> np.ndarray | None:
        if not sample.record.samples:
            return None
        waveform = torch.from_numpy(sample.speech(0, sample.record.frames)).to(device)
        return network(waveform[None], sample.record.frames)[0].float().cpu().numpy()

    return copy_with_member(copy, FEATURES, network, network.out_dim, describe)
