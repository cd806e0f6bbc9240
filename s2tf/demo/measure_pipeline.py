"""Measurement of a finished pipeline by the demo's numbers, on speakers that no stage has seen."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from s2tf.demo.motion_targets import motion_targets
from s2tf.demo.results import measure, write_speakers
from s2tf.demo.train import Chain, DemoSettings
from s2tf.errors import UserError
from s2tf.evaluation.judge_training import JudgeData, load_judges
from s2tf.evaluation.scores import Scores
from s2tf.faces.motion import JudgedMotion
from s2tf.systems.registry import find_pipeline

WHOLE = "SpeechToTalkingFacePipeline"


@dataclass(frozen=True)
class SpeakerTest:
    """Speakers whose speech a pipeline is measured with."""

    shards: Path
    """Shards of synthetic speakers, whose test split no stage has seen."""
    seed: int = 0
    """Seed of the noise."""
    compared: int = 8
    """Speakers whose face also speaks with another person's speech, as the baseline of the mouth's motion."""


def measure_pipeline(pipeline: Path, test: SpeakerTest, out: Path, console: Console) -> Scores:
    """Generate the face of every test speaker into `out`/speakers, and measure the portraits and videos.

    Raises:
        UserError: The folder holds no pipeline from speech alone to a video.
    """
    name = find_pipeline(pipeline)[1].name
    if name != WHOLE:
        raise UserError(f"{pipeline} is a {name}, expected a {WHOLE}")
    settings = DemoSettings(seed=test.seed, compared=test.compared)
    results = write_speakers(settings, Chain(shards=test.shards, pipeline=pipeline), out, console)
    if not results.speakers:
        raise UserError(f"{test.shards}: split test is empty, expected clips of unseen speakers")
    judges = load_judges(JudgeData(), console)
    measurements = [*measure(settings, results, console), *motion_targets(results, JudgedMotion(judges))]
    protocol = {"clips": len(results.speakers), "speakers": "synthetic, unseen", "seed": test.seed}
    random = list(results.pipeline.random_weights)
    scores = Scores("speakers", pipeline.name, measurements, protocol, random, datasets=["synthetic"])
    scores.write(out)
    return scores
