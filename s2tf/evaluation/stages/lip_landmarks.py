"""Evaluation of lip landmarks on whole clips: following of the speech, and closing in silence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.shards.samples import Sample
from s2tf.evaluation.clips_of_run import another, datasets_of, first_test_clips, shards_of, shards_protocol, speech_for
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.lip_scores import LipClip, lip_scores
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.faces.lips import canonical_face, to_picture_units
from s2tf.media.audio import FPS, SAMPLE_RATE

KIND = "lips"
NETWORKS = ("lip_landmarks", "speech_features")
SILENCE_SECONDS = 1.0
"""Length of the silence after the speech; its first `SETTLING` seconds are not measured."""
SETTLING = 0.2


@dataclass(frozen=True)
class LipTest:
    """Choice of the clips for whose speech lips are generated."""

    shards: str | None = None
    """Shards to use instead of the run's own data."""
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: A number is below 1.
        """
        check_counts(self, "clips")


def evaluate_lips(run: Path, test: LipTest, out: Path, report: Report = silent) -> Scores:
    """Generate the lips of the test clips, measure them and write `metrics.json` into `out`.

    Args:
        run: A finished run of the lip landmarks.
        test: The clips.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished, or there is no clip.
    """
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    shards = shards_of(stage_run.config, run, test.shards)
    samples = first_test_clips(shards, test.clips)
    clips = [
        _clip(sample, another(samples, index), stage_run.networks, test.device)
        for index, sample in enumerate(stage_run.each(samples, len(samples)))
    ]
    protocol = {
        **shards_protocol(shards, len(samples)),
        "reference": "the lips of frame 0",
        "silence": f"{SILENCE_SECONDS} s of zeros behind the speech, the first {SETTLING} s left out",
    }
    return stage_run.write(KIND, lip_scores(clips, protocol), protocol, out, datasets=datasets_of([shards]))


def _clip(sample: Sample, other: Sample | None, networks: Mapping[str, Any], device: str) -> LipClip:
    """Generate a clip's lips for its own speech followed by silence, and for another person's speech."""
    reference = canonical_face(to_picture_units(sample.landmarks(), sample.record.size)).lips
    speech = sample.waveform()
    frames = len(reference)
    with_silence = np.concatenate([speech, np.zeros(round(SILENCE_SECONDS * SAMPLE_RATE), np.float32)])
    silent_frames = round(SILENCE_SECONDS * FPS)
    generated = _lips(with_silence, frames + silent_frames, reference[0], networks, device)
    return LipClip(
        reference=reference,
        generated=generated[:frames],
        silent=generated[frames + round(SETTLING * FPS) :],
        wrong=None if other is None else _lips(other.waveform(), frames, reference[0], networks, device),
    )


def _lips(waveform: np.ndarray, frames: int, first: np.ndarray, networks: Mapping[str, Any], device: str) -> np.ndarray:
    """Generate lips (T, 20, 2) for a speech as long as the frames; they begin as the lips of frame 0."""
    still = torch.tensor(first, dtype=torch.float32, device=device)[None]
    with torch.no_grad():
        features = networks["speech_features"](speech_for(waveform, frames).to(device), frames)
        return networks["lip_landmarks"](features, still)[0].double().cpu().numpy()
