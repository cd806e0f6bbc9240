"""Finished lip landmarks, measured on whole clips: do the lips follow the speech, and do they close in silence?"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.shards.samples import Sample
from datamodules.shards.writing import load_manifest, read_split
from s2tf.errors import UserError
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.lip_scores import LipClip, lip_scores
from s2tf.evaluation.test_clips import another, manifests_fingerprint, name_of, shards_of, speech_for
from s2tf.faces.lips import canonical_face, to_picture_units
from s2tf.media.audio import FPS, SAMPLE_RATE
from s2tf.nn.network import load_network

KIND = "lips"
SILENCE_SECONDS = 1.0
"""That follow the speech; the first `SETTLING` of them do not count."""
SETTLING = 0.2


@dataclass(frozen=True)
class LipTest:
    """Which clips are spoken."""

    shards: str | None = None
    """Other data than the run's own."""
    clips: int | None = None
    """The first so many; all where None."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: a number is below 1.
        """
        if self.clips is not None and self.clips < 1:
            raise ValueError(f"--clips {self.clips}: expected 1 or more")


def evaluate_lips(run: Path, test: LipTest, out: Path, report: Callable[[str], None] = lambda text: None) -> "Scores":
    """Draw the lips of the test clips, measure them and write `metrics.json` into `out`.

    Raises:
        UserError: the run is not finished, or there is no clip.
    """
    shards = shards_of(run, "lip_landmarks", test.shards)
    networks: dict[str, Any] = {
        name: load_network(str(run / "networks" / name)).to(test.device)
        for name in ("speech_features", "lip_landmarks")
    }
    samples = list(islice(read_split(shards, "test"), test.clips))
    if not samples:
        raise UserError(f"{shards.shards}: no clip in its split test")
    clips = []
    for index, sample in enumerate(samples):
        clips.append(_clip(sample, another(samples, index), networks, test.device))
        report(f"{run.parent.name}: {index + 1} of {len(samples)} clips")
    protocol = {
        "clips": len(samples),
        "shards": name_of(shards),
        "data": manifests_fingerprint([load_manifest(shards)]),
        "reference": "the lips of frame 0",
        "silence": f"{SILENCE_SECONDS} s of zeros behind the speech, the first {SETTLING} s left out",
    }
    random = [name for name, network in networks.items() if getattr(network, "is_random", False)]
    result = Scores(KIND, run.parent.name, lip_scores(clips, protocol), protocol, random)
    result.write(out)
    return result


def _clip(sample: "Sample", other: "Sample | None", networks: dict[str, Any], device: str) -> "LipClip":
    true = canonical_face(to_picture_units(sample.landmarks(), sample.record.size)).lips
    speech = sample.waveform()
    frames = len(true)
    with_silence = np.concatenate([speech, np.zeros(round(SILENCE_SECONDS * SAMPLE_RATE), np.float32)])
    silent = round(SILENCE_SECONDS * FPS)
    drawn = _lips(with_silence, frames + silent, true[0], networks, device)
    return LipClip(
        true=true,
        drawn=drawn[:frames],
        silent=drawn[frames + round(SETTLING * FPS) :],
        wrong=None if other is None else _lips(other.waveform(), frames, true[0], networks, device),
    )


def _lips(
    waveform: "np.ndarray", frames: int, reference: "np.ndarray", networks: dict[str, Any], device: str
) -> "np.ndarray":
    """Lips (T, 20, 2) for a speech brought to the frames' length."""
    still = torch.tensor(reference, dtype=torch.float32, device=device)[None]
    with torch.no_grad():
        features = networks["speech_features"](speech_for(waveform, frames).to(device), frames)
        return networks["lip_landmarks"](features, still)[0].double().cpu().numpy()
