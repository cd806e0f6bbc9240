"""Shards written again with the speech features of every clip."""

from pathlib import Path

import numpy as np
import torch

from datamodules.shards.add_member import CopyReport, NewMember, OnClip, add_member
from datamodules.shards.samples import FEATURES, Sample
from s2tf.models.speech_features import SpeechFeatures


def write_features(
    shards: Path,
    network: "SpeechFeatures",
    out: Path,
    device: str = "cpu",
    part: tuple[int, int] = (1, 1),
    on_clip: "OnClip | None" = None,
) -> "CopyReport":
    """Copy `shards` to `out` with `features.npy` (2 T, C) in every sample that has sound.

    They are computed on the whole recording, as they are when a trained model is used. See
    `datamodules.shards.add_member.add_member`.

    Raises:
        FileNotFoundError: The shards are absent.
        ValueError: `out` holds other shards.
    """
    about = {"dim": network.out_dim, "network": type(network).__name__, "fingerprint": network.fingerprint()}
    network.eval().to(device)

    @torch.no_grad()
    def describe(sample: Sample) -> np.ndarray | None:
        if not sample.record.samples:
            return None
        waveform = torch.from_numpy(sample.speech(0, sample.record.frames)).to(device)
        return network(waveform[None], sample.record.frames)[0].float().cpu().numpy()

    return add_member(shards, out, NewMember(FEATURES, about, describe), part, on_clip)
