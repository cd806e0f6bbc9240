"""Evaluation of a motion diffusion by the lips, eyes and head that the motion reader reads from its codes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.face import face_of
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest
from s2tf.diffusion.samplers import Sampler
from s2tf.diffusion.windows import Windows
from s2tf.errors import UserError
from s2tf.evaluation.clips_of_run import (
    another,
    clip_seed,
    datasets_of,
    first_test_clips,
    shards_of,
    shards_protocol,
    speech_for,
)
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.motion_scores import MotionClip, MotionScores, Signals, frame_steps
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.faces.crop import resize
from s2tf.media.pictures import to_tensor
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.lips import eye_opening, mouth_opening
from s2tf.runs.finished import check_codes

KIND = "motion"
NETWORKS = ("motion_diffusion", "speech_features")
AUTOENCODER = "autoencoder"
"""Key of the protocol: the autoencoder of the codes, which differs between runs of different seeds."""


@dataclass(frozen=True)
class MotionTest:
    """Choice of the motion to generate and of its speech."""

    autoencoder: Path | None
    """Folder of the motion autoencoder whose codes the shards hold."""
    shards: str | None = None
    """Shards to use instead of the run's own data."""
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    seed: int = 0
    seeds: int = 4
    """Number of motions for each speech, to measure diversity."""
    steps: int = 50
    sampler: Sampler = "ddim"
    guidance: float = 1.0
    temperature: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: A number is below 1.
        """
        check_counts(self, "clips", "seeds", "steps")


def evaluate_motion(run: Path, test: MotionTest, out: Path, report: Report = silent) -> Scores:
    """Generate motion for the speech of the test clips, measure it and write `metrics.json` into `out`.

    Args:
        run: A finished run of the motion diffusion.
        test: The motion to generate and its speech.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished, there is no clip, or the codes belong to another autoencoder.
    """
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    shards = shards_of(stage_run.config, run, test.shards)
    autoencoder = _open_autoencoder(run, shards, test)
    stage_run = stage_run.with_network("motion_autoencoder", autoencoder)
    generator = _Generator(stage_run.networks["speech_features"], stage_run.networks["motion_diffusion"], test)
    reader = _Reader(autoencoder, test.device)

    samples = first_test_clips(shards, test.clips)
    scores = MotionScores()
    for index, sample in enumerate(stage_run.each(samples, len(samples))):
        scores.clips.append(_clip(sample, another(samples, index), generator, reader))

    protocol: dict[str, Any] = {
        **shards_protocol(shards, len(samples)),
        "start": "the code of frame 0",
        "read by": "the motion reader of the codes' autoencoder",
        AUTOENCODER: autoencoder.fingerprint(),
        **{name: getattr(test, name) for name in ("seed", "seeds", "steps", "sampler", "guidance", "temperature")},
    }
    return stage_run.write(KIND, scores.measurements(protocol), protocol, out, datasets=datasets_of([shards]))


def _open_autoencoder(run: Path, shards: ShardSource, test: MotionTest) -> MotionAutoencoder:
    """Open the autoencoder of the shards' codes.

    Raises:
        UserError: No autoencoder is given, or the codes belong to another autoencoder.
    """
    if test.autoencoder is None:
        raise UserError(
            f"{run}: --autoencoder must be given: the folder of the network that computed the codes of {shards.shards}"
        )
    autoencoder = MotionAutoencoder.from_pretrained(test.autoencoder)
    check_codes(load_manifest(shards), autoencoder, f"--autoencoder {test.autoencoder}", shards.shards)
    return autoencoder.to(test.device)


@dataclass(frozen=True)
class _Generator:
    """Motion diffusion together with the network of its speech features."""

    speech_features: Any
    diffusion: Any
    test: MotionTest

    def codes(self, waveform: np.ndarray, start: Tensor, frames: int, seed: int) -> Tensor:
        """Generate codes (T, m) of `frames` frames for a speech, starting at the code `start` (1, m)."""
        test = self.test
        with torch.no_grad():
            features = self.speech_features(speech_for(waveform, frames).to(test.device), frames)
        return self.diffusion.sample(
            features,
            steps=test.steps,
            kind=test.sampler,
            generator=torch.Generator().manual_seed(seed),
            start=start,
            guidance=test.guidance,
            temperature=test.temperature,
        )[0]

    def steps_of(self, codes: Tensor) -> np.ndarray:
        """Compute (T - 1,) `frame_steps` of codes (N, T, m), each value in units of its standard deviation."""
        return frame_steps(self.diffusion.statistics.normalise(codes).cpu().numpy())

    def borders(self, frames: int) -> list[int]:
        """List the last frame before each window of the diffusion, and the last frame of each window but the last."""
        windows = Windows(frames, self.diffusion.window, self.diffusion.overlap)
        begins = (start - 1 for start in windows.starts[1:])
        ends = (start + windows.length - 1 for start in windows.starts[:-1])
        return sorted({*begins, *ends})


@dataclass(frozen=True)
class _Reader:
    """The motion reader of the codes' autoencoder."""

    autoencoder: MotionAutoencoder
    device: str

    def identity(self, sample: Sample) -> Tensor:
        """Compute z_id (1, d) of the clip's frame 0."""
        frame = resize(sample.frames(0, 1)[0], self.autoencoder.input_size)
        with torch.no_grad():
            return self.autoencoder.encode_source(to_tensor(frame[None], self.device).contiguous()).z_id

    def signals(self, codes: Tensor, z_id: Tensor) -> Signals:
        """Read the openings and the placement from codes (T, m)."""
        with torch.no_grad():
            face = self.autoencoder.motion_reader(z_id.expand(len(codes), -1), codes)
        values = (mouth_opening(face.lips), eye_opening(face.eyes), face.placement)
        return Signals(*(value.double().cpu().numpy() for value in values))


def _clip(sample: Sample, other: Sample | None, generator: _Generator, reader: _Reader) -> MotionClip:
    """Generate a clip's motion with several seeds, and one motion for another person's speech."""
    stored = sample.motion()
    assert stored is not None
    codes = torch.tensor(stored, dtype=torch.float32, device=reader.device)
    start, frames, z_id = codes[:1], len(codes), reader.identity(sample)
    seeds = [clip_seed(generator.test.seed + number, sample.key) for number in range(generator.test.seeds)]
    generated = [generator.codes(sample.waveform(), start, frames, seed) for seed in seeds]
    wrong = None
    if other is not None:
        wrong = reader.signals(generator.codes(other.waveform(), start, frames, seeds[0]), z_id)
    return MotionClip(
        landmarks=_signals_of_landmarks(sample, reader.autoencoder.motion_reader.space),
        reference=reader.signals(codes, z_id),
        generated=[reader.signals(one, z_id) for one in generated],
        wrong=wrong,
        steps=generator.steps_of(torch.stack(generated)),
        reference_steps=generator.steps_of(codes[None]),
        borders=generator.borders(frames),
    )


def _signals_of_landmarks(sample: Sample, space: bool) -> Signals:
    face = face_of(sample, space)
    return Signals(mouth_opening(face.lips), eye_opening(face.eyes), face.placement)
