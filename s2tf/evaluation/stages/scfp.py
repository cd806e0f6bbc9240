"""Evaluation of SCFP: portraits of a run's test speakers, measured as in Tables I to VI.

One portrait is generated from the beginning of the speech of each test clip. It is compared with the clip's first
frame, the one that seed 0 chooses or the most frontal one, as the run's data say. Another frame of the same clip takes
the portrait's place in the ground-truth row, and the run's mean face in the baseline of the feature distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from s2tf import __version__
from s2tf.evaluation.clip_records import RecordFolder
from s2tf.evaluation.clips_of_run import chosen_clip_pairs, data_protocol, datasets_of
from s2tf.evaluation.portraits.network_scores import network_scores, readings_of
from s2tf.evaluation.portraits.scores import PortraitReadings
from s2tf.evaluation.result_files import discard_results
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.software import OPENCV, versions
from s2tf.evaluation.stages.portrait_batches import PlannedBatch, plan_batches
from s2tf.evaluation.stages.portrait_records import MEASURE, add_record, holds_pictures, record_of
from s2tf.evaluation.stages.portrait_rows import PortraitRows, PortraitTest, open_portraits, portraits_of, rows_of
from s2tf.evaluation.stages.stage_run import Report, StageRun, silent
from s2tf.faces.attributes import AttributeReader, Attributes
from s2tf.faces.features import FaceFeatures
from s2tf.media.pictures import to_uint8
from s2tf.metrics.portrait import feature_distances
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.tables.write_table import write_table

CLIPS_FILE = "portraits.csv"
SAMPLES = "samples"
PORTRAIT, REFERENCE = ".portrait.png", ".true.png"
"""Suffixes of the pictures in `samples`: the portrait generated from a clip's speech, and the clip's own frame."""
KIND = "portraits"
COMPARED_WITH = {
    "first": "the first frame of the same clip",
    "random": "a random frame of the same clip, the same for all runs",
    "aligned": "the most frontal frame of the same clip, its eyes at fixed places",
}
"""The reference face by the data's choice of portraits."""


def evaluate_portraits(
    run: Path,
    test: PortraitTest,
    faces: FaceFeatures,
    attributes: AttributeReader | None,
    out: Path,
    report: Report = silent,
    json_file: Path | None = None,
) -> Scores | None:
    """Generate and measure portraits; write `metrics.json`, `portraits.csv` and `samples/` into `out`.

    The readings of each batch are a record below `out`/clips, so that an evaluation that was stopped goes on, and that
    several processes divide the batches. The process that reads the last batch measures all.

    Args:
        run: A finished run of the portrait diffusion.
        test: The portraits to generate and their speech.
        faces: The network that compares faces.
        attributes: The reader of gender and age, or None to leave them out.
        out: Folder of the results.
        report: Function that is called with a line about the progress.
        json_file: Second file with the numbers, which is deleted together with the results of an earlier evaluation.

    Returns:
        The scores, or None while batches of other processes are still missing.

    Raises:
        UserError: The run is not finished.
        FileNotFoundError: The run's data have no test clip.
    """
    stage_run, pipeline, data = open_portraits(run, test, report)
    batches = plan_batches(data, test)
    measuring = _Measuring(stage_run, pipeline, data, test, faces, attributes, out)
    # Everything that can be refused is refused before older results are deleted.
    discard_results(out, json_file)
    (out / CLIPS_FILE).unlink(missing_ok=True)
    (out / SAMPLES).mkdir(parents=True, exist_ok=True)
    records = RecordFolder(out, {MEASURE: measuring.measured})
    measuring.read_part(batches, records)
    if any(records.missing(batch.name, batch.version) for batch in batches):
        return None
    # Measure all portraits together, in the same order in every process, and write the results.
    readings = PortraitReadings()
    for batch in batches:
        add_record(readings, batch, records.read(batch.name, batch.version))
    protocol = {**data_protocol(data, readings.keys), **measuring.settings}
    mean_face = faces.embed(_mean_face(pipeline))
    measurements = network_scores(readings, mean_face, faces, measuring.reader, protocol)
    datasets = datasets_of(one.source for one in data.sources)
    scores = stage_run.write(KIND, measurements, protocol, out, measuring.packages, datasets)
    _write_clips(readings_of(readings, faces), out / CLIPS_FILE)
    return scores


@dataclass(frozen=True)
class _Measuring:
    """Everything that generates and reads a batch."""

    stage_run: StageRun
    pipeline: PortraitPipeline
    data: Any
    test: PortraitTest
    faces: FaceFeatures
    attributes: AttributeReader | None
    out: Path

    @property
    def settings(self) -> dict[str, Any]:
        """Part of the protocol without the clips."""
        test = self.test
        return {
            "faces": dict(self.faces.protocol),
            "speech (s)": self.pipeline.portrait_settings.seconds,
            "picture (px)": self.data.size,
            "compared with": COMPARED_WITH[self.data.portrait],
            **{name: getattr(test.settings, name) for name in ("steps", "sampler", "guidance", "temperature")},
            "seed": test.seed,
        }

    @property
    def reader(self) -> dict[str, Any] | None:
        """Protocol of the reader of gender and age."""
        return None if self.attributes is None else dict(self.attributes.protocol)

    @property
    def packages(self) -> list[str]:
        """Packages of the readers."""
        return [*self.faces.packages, *(self.attributes.packages if self.attributes is not None else ())]

    @property
    def measured(self) -> dict[str, Any]:
        """Everything except the clips on which a record depends: if a value changes, the batch is read again."""
        return {
            "networks": {name: network.fingerprint() for name, network in self.stage_run.networks.items()},
            "settings": self.settings,
            "seeds": self.test.seeds,
            "attributes": self.reader,
            "software": versions([OPENCV, "torch", *self.packages]),
            "s2tf": __version__,
        }

    def read_part(self, batches: Sequence[PlannedBatch], records: RecordFolder) -> None:
        """Generate and read the batches of this process's part that have no record yet."""
        mine = self.test.part.of(batches)
        todo = {batch.number: batch for batch in mine if self._missing(batch, records)}
        total = sum(len(batch.keys) for batch in mine)
        done = total - sum(len(batch.keys) for batch in todo.values())
        if not todo:
            return
        pairs = chosen_clip_pairs(self.data, {number: len(batch.keys) for number, batch in todo.items()})
        # The pictures of a batch are freed after it; only their features are kept.
        for batch, (first, second) in zip(todo.values(), pairs, strict=True):
            rows = rows_of(self.pipeline, first, second, self.test.seed)
            readings = self._readings(rows, batch)
            shown = [*rows.portraits[: batch.pictures], *rows.reference[: batch.pictures]]
            for picture, path in zip(shown, self._files(batch), strict=True):
                Image.fromarray(picture).save(path)
            records.write(record_of(batch, readings, self._files(batch)), batch.version)
            done += len(batch.keys)
            self.stage_run.count(done, total, "portraits")

    def _missing(self, batch: PlannedBatch, records: RecordFolder) -> bool:
        """Return True if the record of a batch or one of its pictures is missing, or is that of other settings."""
        if records.missing(batch.name, batch.version):
            return True
        return not holds_pictures(records.read(batch.name, batch.version), self._files(batch))

    def _files(self, batch: PlannedBatch) -> list[Path]:
        """List the files of the portraits, then those of the references."""
        keys = batch.keys[: batch.pictures]
        return [self.out / SAMPLES / f"{key}{suffix}" for suffix in (PORTRAIT, REFERENCE) for key in keys]

    def _readings(self, rows: PortraitRows, batch: PlannedBatch) -> PortraitReadings:
        readings = PortraitReadings()
        _add_readings(rows, readings, self.faces, self.attributes)
        if batch.varied:
            readings.varied += self._varied(rows, batch.varied)
        return readings

    def _varied(self, rows: PortraitRows, chosen: list[int]) -> Tensor:
        """Return features (V, N, D) of portraits of the chosen rows with N seeds."""
        waveforms, keys = [rows.waveforms[row] for row in chosen], [rows.keys[row] for row in chosen]
        seeds = range(self.test.seed + 1, self.test.seed + self.test.seeds)
        more = [portraits_of(self.pipeline, waveforms, keys, seed) for seed in seeds]
        return torch.stack([self.faces.embed(pictures) for pictures in (rows.portraits[chosen], *more)], dim=1)


def _add_readings(
    rows: PortraitRows, readings: PortraitReadings, faces: FaceFeatures, attributes: AttributeReader | None
) -> None:
    """Add the features of all pictures of a batch, and gender and age if a reader is given."""
    different = (rows.reference != rows.other).any(axis=(1, 2, 3))
    readings.keys += rows.keys
    readings.identities += rows.identities
    readings.labels += rows.labels
    readings.reference.extend(faces.embed(rows.reference))
    readings.generated.extend(faces.embed(rows.portraits))
    readings.other += [row if two else None for row, two in zip(faces.embed(rows.other), different, strict=True)]
    if attributes is not None:
        readings.read += attributes.read(rows.portraits)
        readings.read_other += _read_some(attributes, rows.other, different)
        unlabelled = np.array([not label.complete for label in rows.labels])
        readings.read_reference += _read_some(attributes, rows.reference, unlabelled)


def _read_some(attributes: AttributeReader, pictures: np.ndarray, wanted: np.ndarray) -> list[Attributes | None]:
    """Read gender and age of the wanted pictures only; None for the others."""
    found = iter(attributes.read(pictures[wanted]) if wanted.any() else [])
    return [next(found) if one else None for one in wanted]


def _mean_face(pipeline: PortraitPipeline) -> np.ndarray:
    """Render the run's face prior as a picture (1, H, W, 3)."""
    with torch.no_grad():
        return to_uint8(pipeline.face_decoder(pipeline.portrait_diffusion.prior.get_buffer("z_p")[None]))


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
