"""Evaluation of SCFP: portraits of a run's test speakers, measured as in Tables I to VI.

One portrait is generated from the beginning of the speech of each test clip. It is compared with the clip's first
frame, or with the one that seed 0 chooses, as the run's data say. Another frame of the same clip takes the portrait's
place in the ground-truth row, and the run's mean face in the baseline of the feature distances.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from s2tf.evaluation.clips_of_run import (
    clip_pairs,
    clip_seed,
    count_test_clips,
    data_of_run,
    data_protocol,
    datasets_of,
)
from s2tf.evaluation.portraits.network_scores import network_scores, readings_of
from s2tf.evaluation.portraits.scores import PortraitReadings
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.faces.attributes import AttributeReader, Attributes
from s2tf.faces.features import FaceFeatures
from s2tf.media.pictures import to_uint8
from s2tf.metrics.portrait import feature_distances
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings
from s2tf.tables.write_table import write_table

CLIPS_FILE = "portraits.csv"
SAMPLES = "samples"
PORTRAIT, REFERENCE = ".portrait.png", ".true.png"
"""Suffixes of the pictures in `samples`: the portrait generated from a clip's speech, and the clip's own frame."""
KIND = "portraits"
COMPARED_WITH = {
    "first": "the first frame of the same clip",
    "random": "a random frame of the same clip, the same for all runs",
}
"""The reference face by the data's choice of portraits."""
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


def evaluate_portraits(
    run: Path,
    test: PortraitTest,
    faces: FaceFeatures,
    attributes: AttributeReader | None,
    out: Path,
    report: Report = silent,
) -> Scores:
    """Generate and measure portraits; write `metrics.json`, `portraits.csv` and `samples/` into `out`.

    Args:
        run: A finished run of the portrait diffusion.
        test: The portraits to generate and their speech.
        faces: The network that compares faces.
        attributes: The reader of gender and age, or None to leave them out.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished.
        FileNotFoundError: The run's data have no test clip.
    """
    stage_run, pipeline, data = _open(run, test, report)
    (out / SAMPLES).mkdir(parents=True, exist_ok=True)
    readings, total = PortraitReadings(), count_test_clips(data, test.clips)
    # The pictures of a batch are freed after it; only their features are kept.
    for rows in _generate(pipeline, data, test):
        done = len(readings.keys)
        _add_readings(rows, readings, faces, attributes)
        _add_variation(rows, readings, pipeline, faces, test)
        for pictures, suffix in ((rows.portraits, PORTRAIT), (rows.reference, REFERENCE)):
            _write_pictures(pictures, rows.keys, max(0, test.pictures - done), out / SAMPLES, suffix)
        stage_run.count(len(readings.keys), total, "portraits")
    protocol = {
        **data_protocol(data, readings.keys),
        "faces": dict(faces.protocol),
        "speech (s)": pipeline.portrait_settings.seconds,
        "picture (px)": data.size,
        "compared with": COMPARED_WITH[data.portrait],
        **{name: getattr(test.settings, name) for name in ("steps", "sampler", "guidance", "temperature")},
        "seed": test.seed,
    }
    # Measure all portraits together, and write the results.
    reader = attributes.protocol if attributes is not None else None
    mean_face = faces.embed(_mean_face(pipeline))
    measurements = network_scores(readings, mean_face, faces, reader, protocol)
    packages = [*faces.packages, *(attributes.packages if attributes is not None else ())]
    datasets = datasets_of(one.source for one in data.sources)
    scores = stage_run.write(KIND, measurements, protocol, out, packages, datasets)
    _write_clips(readings_of(readings, faces), out / CLIPS_FILE)
    return scores


def portrait_rows(run: Path, test: PortraitTest) -> tuple[PortraitPipeline, Iterator[PortraitRows]]:
    """Return a run's pipeline, and batches of its test clips with their portraits.

    Raises:
        UserError: The run is not finished.
    """
    _, pipeline, data = _open(run, test)
    return pipeline, _generate(pipeline, data, test)


def _open(run: Path, test: PortraitTest, report: Report = silent) -> tuple[StageRun, PortraitPipeline, Any]:
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    settings = replace(test.settings, seconds=stage_run.config["data"]["init_args"]["seconds"])
    pipeline = PortraitPipeline(**stage_run.networks, portrait_settings=settings)
    return stage_run, pipeline, data_of_run(stage_run.config, test.shards, test.batch)


def _generate(pipeline: PortraitPipeline, data: Any, test: PortraitTest) -> Iterator[PortraitRows]:
    for first, second in clip_pairs(data, test.clips):
        keys, waveforms = list(first["key"]), list(first["waveform"].numpy())
        genders, ages = first["gender"].tolist(), first["age"].tolist()
        yield PortraitRows(
            keys=keys,
            identities=first["identity"].tolist(),
            labels=[Attributes(gender, age) for gender, age in zip(genders, ages, strict=True)],
            waveforms=waveforms,
            reference=to_uint8(first["portrait"]),
            other=to_uint8(second["portrait"]),
            portraits=_portraits(pipeline, waveforms, keys, test.seed),
        )


def _add_readings(
    rows: PortraitRows, readings: PortraitReadings, faces: FaceFeatures, attributes: AttributeReader | None
) -> None:
    """Add the features of all pictures of a batch, and gender and age if a reader is given."""
    different = (rows.reference != rows.other).any(axis=(1, 2, 3))
    readings.keys += rows.keys
    readings.labels += rows.labels
    readings.reference.extend(faces.embed(rows.reference))
    readings.generated.extend(faces.embed(rows.portraits))
    readings.other += [row if two else None for row, two in zip(faces.embed(rows.other), different, strict=True)]
    if attributes is not None:
        readings.read += attributes.read(rows.portraits)
        readings.read_other += _read_some(attributes, rows.other, different)
        unlabelled = np.array([not label.complete for label in rows.labels])
        readings.read_reference += _read_some(attributes, rows.reference, unlabelled)


def _add_variation(
    rows: PortraitRows,
    readings: PortraitReadings,
    pipeline: PortraitPipeline,
    faces: FaceFeatures,
    test: PortraitTest,
) -> None:
    """Add features of portraits with further seeds, for the first clips of the first `varied` speakers."""
    new = [
        row
        for row, identity in enumerate(rows.identities)
        if identity not in readings.identities and identity not in rows.identities[:row]
    ]
    readings.identities += rows.identities
    chosen = new[: max(0, test.varied - len(readings.varied))] if test.seeds > 1 else []
    if chosen:
        waveforms, keys = [rows.waveforms[row] for row in chosen], [rows.keys[row] for row in chosen]
        more = [_portraits(pipeline, waveforms, keys, test.seed + number) for number in range(1, test.seeds)]
        features = [faces.embed(pictures) for pictures in (rows.portraits[chosen], *more)]
        readings.varied += torch.stack(features, dim=1)


def _read_some(attributes: AttributeReader, pictures: np.ndarray, wanted: np.ndarray) -> list[Attributes | None]:
    """Read gender and age of the wanted pictures only; None for the others."""
    found = iter(attributes.read(pictures[wanted]) if wanted.any() else [])
    return [next(found) if one else None for one in wanted]


def _portraits(
    pipeline: PortraitPipeline, waveforms: Sequence[np.ndarray], keys: Sequence[str], seed: int
) -> np.ndarray:
    """Generate a portrait for each speech, (B, H, W, 3); its noise depends only on seed and key."""
    return np.stack([output.image for output in pipeline.generate(waveforms, [clip_seed(seed, key) for key in keys])])


def _mean_face(pipeline: PortraitPipeline) -> np.ndarray:
    """Render the run's face prior as a picture (1, H, W, 3)."""
    with torch.no_grad():
        return to_uint8(pipeline.face_decoder(pipeline.portrait_diffusion.prior.get_buffer("z_p")[None]))


def _write_pictures(pictures: np.ndarray, keys: Sequence[str], count: int, folder: Path, suffix: str) -> None:
    for picture, key in islice(zip(pictures, keys, strict=True), count):
        Image.fromarray(picture).save(folder / f"{key}{suffix}")


def _write_clips(readings: PortraitReadings, path: Path) -> None:
    """Write a line for each portrait: its distance from the reference, and gender and age, labelled and read."""
    angles = feature_distances(torch.stack(readings.generated), torch.stack(readings.reference))["cosine_degrees"]
    rows = []
    for index, key in enumerate(readings.keys):
        label, read = readings.labels[index], readings.read[index] if readings.read else None
        rows.append(
            {
                "key": key,
                "cosine_degrees": f"{angles[index]:.3f}",
                "gender": label.gender,
                "age": label.age,
                "gender_read": "" if read is None else read.gender,
                "age_read": "" if read is None else f"{read.age:.1f}",
            }
        )
    write_table(rows, path, ("key", "cosine_degrees", "gender", "age", "gender_read", "age_read"))
