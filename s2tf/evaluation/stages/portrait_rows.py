"""Portraits generated from the beginning of the speech of a run's test clips."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.evaluation.clips_of_run import clip_pairs, clip_seed, data_of_run
from s2tf.evaluation.process_share import Part
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.faces.attributes import Attributes
from s2tf.media.pictures import to_uint8
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings

NETWORKS = ("portrait_diffusion", "speech_encoder", "face_decoder")


@dataclass(frozen=True)
class PortraitTest:
    """Choice of the portraits to generate and of their speech."""

    settings: PortraitSettings
    """Sampler, steps, guidance and temperature; the length of the speech is the run's."""
    shards: str | None = None
    """Shards to use instead of the run's own data."""
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    seed: int = 0
    seeds: int = 4
    """Number of portraits for each of the first `varied` speeches, to measure diversity."""
    varied: int = 32
    batch: int = 32
    pictures: int = 64
    """Number of portraits that are written as pictures."""
    device: str = "cpu"
    part: Part = field(default_factory=Part)
    """Part of the batches that this process generates and reads."""

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to generate.

        Raises:
            ValueError: A number is below 1.
        """
        check_counts(self, "clips", "seeds", "batch")


@dataclass(frozen=True)
class PortraitRows:
    """Test clips with their portraits; pictures are (B, H, W, 3) uint8."""

    keys: list[str]
    identities: list[int]
    labels: list[Attributes]
    waveforms: list[np.ndarray]
    reference: np.ndarray
    other: np.ndarray
    """Another frame of each clip."""
    portraits: np.ndarray


def portrait_rows(run: Path, test: PortraitTest) -> tuple[PortraitPipeline, Iterator[PortraitRows]]:
    """Return a run's pipeline, and batches of its test clips with their portraits.

    Raises:
        UserError: The run is not finished.
    """
    _, pipeline, data = open_portraits(run, test)
    return pipeline, (rows_of(pipeline, *pair, test.seed) for pair in clip_pairs(data, test.clips))


def open_portraits(run: Path, test: PortraitTest, report: Report = silent) -> tuple[StageRun, PortraitPipeline, Any]:
    """Open a finished run, the pipeline of its networks, and its test data.

    Raises:
        UserError: The run is not finished.
    """
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    settings = replace(test.settings, seconds=stage_run.config["data"]["init_args"]["seconds"])
    pipeline = PortraitPipeline(**stage_run.networks, portrait_settings=settings)
    return stage_run, pipeline, data_of_run(stage_run.config, test.shards, test.batch)


def rows_of(pipeline: PortraitPipeline, first: Mapping[str, Any], second: Mapping[str, Any], seed: int) -> PortraitRows:
    """Generate the portraits of a pair of batches of `clip_pairs`."""
    keys, waveforms = list(first["key"]), list(first["waveform"].numpy())
    genders, ages = first["gender"].tolist(), first["age"].tolist()
    return PortraitRows(
        keys=keys,
        identities=first["identity"].tolist(),
        labels=[Attributes(gender, age) for gender, age in zip(genders, ages, strict=True)],
        waveforms=waveforms,
        reference=to_uint8(first["portrait"]),
        other=to_uint8(second["portrait"]),
        portraits=portraits_of(pipeline, waveforms, keys, seed),
    )


def portraits_of(
    pipeline: PortraitPipeline, waveforms: Sequence[np.ndarray], keys: Sequence[str], seed: int
) -> np.ndarray:
    """Generate a portrait for each speech, (B, H, W, 3); its noise depends only on seed and key."""
    return np.stack([output.image for output in pipeline.generate(waveforms, [clip_seed(seed, key) for key in keys])])
