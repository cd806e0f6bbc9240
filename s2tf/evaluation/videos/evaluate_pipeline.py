"""Requests of evaluations of the videos that a pipeline generates from the speech of test clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from s2tf.evaluation.process_share import Part
from s2tf.evaluation.videos.open_measures import MeasureChoices, open_measures
from s2tf.evaluation.videos.pipeline_clips import Generation, StoredClip, fingerprint_of, generated_pairs
from s2tf.evaluation.videos.request import COMPARED_SIZE, VideoEvaluation


@dataclass(frozen=True)
class SpeechDrivenTest:
    """Test clips and everything that all measured pipelines share.

    Args:
        clips: Test clips whose speech drives the videos.
        choices: Metrics and their networks.
        seed: Seed of the noise.
        steps: Number of denoising steps, or None for the pipeline's setting.
        size: Side at which pictures are compared, pixels.
        part: Part of the clips that this process measures.
        keep_videos: True to keep the generated videos in the folder of the results.
    """

    clips: Sequence[StoredClip]
    choices: MeasureChoices
    seed: int = 0
    steps: int | None = None
    size: int = COMPARED_SIZE
    part: Part = field(default_factory=Part)
    keep_videos: bool = True


@dataclass(frozen=True)
class Subject:
    """A pipeline in one configuration, whose videos are measured.

    Args:
        name: Name in reports, and of the folder of its results.
        pipeline: A pipeline of both stages, or of only the second for `hrtf`.
        configuration: `hrtf` or `hrtf-scfp`.
        system: Facts about the system that reports compare with the row of a table.
    """

    name: str
    pipeline: Any
    configuration: str
    system: Mapping[str, Any] = field(default_factory=dict)


def speech_driven(subject: Subject, test: SpeechDrivenTest, out: Path, console: Console) -> VideoEvaluation:
    """Open the measures, and request the evaluation of a subject; its videos are generated while they are measured.

    Args:
        subject: Pipeline and configuration.
        test: Test clips and measures.
        out: Folder of the results.
        console: Console that shows the training of judges, if there are none yet.
    """
    # New measures for each subject, since a measure adds up everything that it has measured.
    opened = open_measures(test.choices, console)
    pipeline, videos = subject.pipeline, out / "videos" if test.keep_videos else None
    generation = Generation(pipeline, subject.configuration, fingerprint_of(pipeline), test.seed, test.steps, videos)
    return VideoEvaluation(
        name=subject.name,
        pairs=generated_pairs(test.clips, generation),
        opened=opened,
        out=out,
        size=test.size,
        part=test.part,
        random_weights=pipeline.random_weights,
        generator=generation.name,
        system=subject.system,
        datasets=sorted({clip.dataset for clip in test.clips}),
    )
