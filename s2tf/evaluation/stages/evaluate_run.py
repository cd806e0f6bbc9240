"""Evaluations of runs by the class name of their stage, with the options that each evaluation uses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from s2tf.diffusion.samplers import Sampler
from s2tf.errors import UserError
from s2tf.evaluation.open_readers import FACES, open_attributes, open_faces, open_motion, open_perceptual
from s2tf.evaluation.process_share import Part
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.conre import AlignmentTest, evaluate_alignment
from s2tf.evaluation.stages.lip_landmarks import LipTest, evaluate_lips
from s2tf.evaluation.stages.motion_autoencoder import Readers, ReconstructionTest, evaluate_reconstruction
from s2tf.evaluation.stages.motion_diffusion import MotionTest, evaluate_motion
from s2tf.evaluation.stages.portrait_rows import PortraitTest
from s2tf.evaluation.stages.scfp import evaluate_portraits
from s2tf.evaluation.stages.stage_run import Report, silent
from s2tf.pipelines.portrait import PortraitSettings
from s2tf.runs.finished import finished_stage


@dataclass(frozen=True)
class RunOptions:
    """Options of the evaluation of a run; every stage uses some of them."""

    shards: str | None = None
    split: str = "test"
    clips: int | None = None
    batch: int = 32
    pictures: int = 64
    device: str = "cpu"
    seed: int = 0
    seeds: int = 4
    steps: int = 50
    sampler: Sampler = "ddim"
    guidance: float = 1.0
    temperature: float = 1.0
    varied: int = 32
    span: tuple[float, float] = (0.0, 1.0)
    stride: int = 2
    size: int | None = None
    pairs: int = 64
    autoencoder: Path | None = None
    lips: Path | None = None
    faces: str | Sequence[str] | None = None
    attributes: str = "none"
    landmarks: str = "none"
    perceptual: str = "none"
    part: Part = field(default_factory=Part)
    json_file: Path | None = None
    """Second file with the numbers."""

    def among(self, *names: str) -> dict[str, Any]:
        """Return the named options with their values."""
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class StageEvaluation:
    """The evaluation of one stage."""

    takes: frozenset[str]
    """Names of the options that it uses; the others have no effect on it."""
    evaluate: Callable[[Path, RunOptions, Path, Console, Report], Scores | None]
    """Function that measures a run and writes the results into a folder; the console shows the training of judges."""


SAMPLING = ("steps", "sampler", "guidance", "temperature")
ALIGNMENT = ("shards", "clips", "batch", "device")
PORTRAITS = ("shards", "clips", "seed", "seeds", "varied", "batch", "pictures", "device", "part")
RECONSTRUCTION = ("shards", "split", "clips", "span", "stride", "size", "pairs", "batch", "pictures", "device", "lips")
LIPS = ("shards", "clips", "device")
MOTION = ("shards", "clips", "seed", "seeds", "device", "autoencoder")


def _alignment(run: Path, options: RunOptions, out: Path, console: Console, report: Report) -> Scores:
    return evaluate_alignment(run, AlignmentTest(**options.among(*ALIGNMENT)), out, report)


def _portraits(run: Path, options: RunOptions, out: Path, console: Console, report: Report) -> Scores | None:
    if options.faces is None:
        raise UserError(f"--faces must be given for a run of SCFPStage: {FACES}")
    test = PortraitTest(PortraitSettings(**options.among(*SAMPLING)), **options.among(*PORTRAITS))
    faces = open_faces(options.faces, options.device, console)
    attributes = open_attributes(options.attributes, options.device, console)
    return evaluate_portraits(run, test, faces, attributes, out, report, options.json_file)


def _reconstruction(run: Path, options: RunOptions, out: Path, console: Console, report: Report) -> Scores:
    test = ReconstructionTest(**options.among(*RECONSTRUCTION))
    readers = Readers(
        open_motion(options.landmarks, console),
        open_perceptual(options.perceptual, options.device, console),
        None if options.faces is None else open_faces(options.faces, options.device, console),
    )
    return evaluate_reconstruction(run, test, readers, out, report)


def _lips(run: Path, options: RunOptions, out: Path, console: Console, report: Report) -> Scores:
    return evaluate_lips(run, LipTest(**options.among(*LIPS)), out, report)


def _motion(run: Path, options: RunOptions, out: Path, console: Console, report: Report) -> Scores:
    return evaluate_motion(run, MotionTest(**options.among(*SAMPLING, *MOTION)), out, report)


EVALUATIONS: dict[str, StageEvaluation] = {
    "ConReStage": StageEvaluation(frozenset(ALIGNMENT), _alignment),
    "SCFPStage": StageEvaluation(frozenset({*SAMPLING, *PORTRAITS, "faces", "attributes"}), _portraits),
    "MotionAutoencoderStage": StageEvaluation(
        frozenset({*RECONSTRUCTION, "landmarks", "perceptual", "faces"}), _reconstruction
    ),
    "LipLandmarksStage": StageEvaluation(frozenset(LIPS), _lips),
    "MotionDiffusionStage": StageEvaluation(frozenset({*SAMPLING, *MOTION}), _motion),
}
"""Evaluations by the name of the stage's class."""


def stage_of(run: Path) -> str:
    """Return the class name of a finished run's stage.

    Raises:
        UserError: The run is not finished, or its stage has no evaluation.
    """
    stage = finished_stage(run)
    if stage not in EVALUATIONS:
        raise UserError(f"{run} is a run of {stage or 'no stage'}, expected a run of {', '.join(EVALUATIONS)}")
    return stage


def evaluate_run(run: Path, options: RunOptions, out: Path, console: Console, report: Report = silent) -> Scores | None:
    """Measure a finished run of any stage and write `metrics.json` and further results into `out`.

    Args:
        run: The run's folder.
        options: Options; those that its stage does not use have no effect.
        out: Folder of the results.
        console: Console that shows the training of judges, if a reader needs judges that are not in the cache.
        report: Function that is called with a line about the progress.

    Returns:
        The scores, or None while parts of other processes are still missing.

    Raises:
        UserError: The run is not finished or cannot be measured, or an option is wrong.
        ValueError: A number is out of its range.
    """
    return EVALUATIONS[stage_of(run)].evaluate(run, options, out, console, report)
