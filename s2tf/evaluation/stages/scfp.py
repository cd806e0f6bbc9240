"""Portraits of a run's test speakers, drawn and measured as in Tables I to VI.

For every test clip one portrait is drawn from the beginning of its speech. It is compared with the clip's frame that
seed 0 chooses; another frame of the same clip takes the portrait's place in the ground-truth row, and
the run's mean face in the baseline of the feature distances.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from s2tf.evaluation.portraits.scores import PortraitReadings, portrait_scores
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.test_clips import clip_pairs, clip_seed, data_protocol, test_data
from s2tf.faces.attributes import AttributeReader, Attributes
from s2tf.faces.features import FaceFeatures
from s2tf.media.pictures import to_uint8
from s2tf.metrics.portrait import feature_distances
from s2tf.nn.network import load_network
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings
from s2tf.runs.finished import finished_config

CLIPS_FILE = "portraits.csv"
SAMPLES = "samples"
PORTRAIT, TRUE = ".portrait.png", ".true.png"
"""In it: what was drawn from a clip's speech, and the clip's own frame."""
KIND = "portraits"


@dataclass(frozen=True)
class PortraitTest:
    """What is drawn, of what, and how."""

    settings: "PortraitSettings"
    """Sampler, steps, guidance and temperature; the length of the speech is the run's."""
    shards: str | None = None
    """Other test data than the run's own."""
    clips: int | None = None
    """The first so many; all where None."""
    seed: int = 0
    seeds: int = 4
    """Portraits of each of the `varied` speeches."""
    varied: int = 32
    batch: int = 32
    pictures: int = 64
    """Portraits to keep as pictures."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to draw.

        Raises:
            ValueError: a number is below 1.
        """
        for name in ("clips", "seeds", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} {value}: expected 1 or more")


@dataclass(frozen=True)
class Drawn:
    """Test clips with their portraits; pictures are (B, H, W, 3) uint8."""

    keys: list[str]
    identities: list[int]
    labels: "list[Attributes]"
    waveforms: "list[np.ndarray]"
    true: "np.ndarray"
    other: "np.ndarray"
    """Another frame of each clip."""
    portraits: "np.ndarray"


def evaluate_portraits(
    run: Path,
    test: PortraitTest,
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
    out: Path,
    report: Callable[[str], None] = lambda text: None,
) -> "Scores":
    """Draw, measure and write `metrics.json`, `portraits.csv` and `samples/` into `out`.

    Args:
        run: A finished run of the portrait diffusion.
        test: What to draw.
        faces: The network that compares faces.
        attributes: What reads gender and age; None leaves them out.
        out: A folder.
        report: Called with a line on how far it is.

    Raises:
        UserError: The run is not finished.
        FileNotFoundError: Its data have no test clip.
    """
    pipeline, data = _open(run, test)
    (out / SAMPLES).mkdir(parents=True, exist_ok=True)
    readings = PortraitReadings()
    total = test.clips or sum(int(source.split("test").counts.sum()) for source in data.sources)
    for drawn in _drawn(pipeline, data, test):
        _read(drawn, readings, pipeline, faces, attributes, test, out)
        report(f"{run.parent.name}: {len(readings.keys)} of {total} portraits")
    protocol = {
        **data_protocol(data, readings.keys),
        "faces": dict(faces.protocol),
        "speech (s)": pipeline.portrait_settings.seconds,
        "picture (px)": data.size,
        "compared with": "a random frame of the same clip, the same for all runs",
        **{name: getattr(test.settings, name) for name in ("steps", "sampler", "guidance", "temperature")},
        "seed": test.seed,
    }
    reader = attributes.protocol if attributes is not None else None
    mean_face = faces.embed(_mean_face(pipeline))
    measurements = portrait_scores(readings, mean_face, faces.protocol, reader, protocol)
    packages = attributes.packages if attributes is not None else ()
    scores = Scores(KIND, run.parent.name, measurements, protocol, list(pipeline.random_weights), packages=packages)
    scores.write(out)
    _write_clips(readings, out / CLIPS_FILE)
    return scores


def portrait_rows(run: Path, test: PortraitTest) -> "tuple[PortraitPipeline, Iterator[Drawn]]":
    """A run's pipeline, and batches of its test clips with their portraits.

    Raises:
        UserError: The run is not finished.
    """
    pipeline, data = _open(run, test)
    return pipeline, _drawn(pipeline, data, test)


def _open(run: Path, test: PortraitTest) -> "tuple[PortraitPipeline, Any]":
    config = finished_config(run, "portrait_diffusion")
    return _pipeline(run, config, test), test_data(config, test.shards, test.batch)


def _pipeline(run: Path, config: Mapping[str, Any], test: PortraitTest) -> "PortraitPipeline":
    def network(name: str) -> Any:
        return load_network(str(run / "networks" / name))

    settings = replace(test.settings, seconds=config["data"]["init_args"]["seconds"])
    names = ("speech_encoder", "portrait_diffusion", "face_decoder")
    return PortraitPipeline(**{name: network(name) for name in names}, portrait_settings=settings).to(test.device)


def _drawn(pipeline: "PortraitPipeline", data: Any, test: PortraitTest) -> "Iterator[Drawn]":
    for first, second in clip_pairs(data, test.clips):
        keys, waveforms = list(first["key"]), list(first["waveform"].numpy())
        genders, ages = first["gender"].tolist(), first["age"].tolist()
        yield Drawn(
            keys=keys,
            identities=first["identity"].tolist(),
            labels=[Attributes(gender, age) for gender, age in zip(genders, ages, strict=True)],
            waveforms=waveforms,
            true=to_uint8(first["portrait"]),
            other=to_uint8(second["portrait"]),
            portraits=_draw(pipeline, waveforms, keys, test.seed),
        )


def _read(
    drawn: Drawn,
    readings: "PortraitReadings",
    pipeline: "PortraitPipeline",
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
    test: PortraitTest,
    out: Path,
) -> None:
    """Add what is read off all pictures of a batch."""
    done = len(readings.keys)
    different = (drawn.true != drawn.other).any(axis=(1, 2, 3))
    readings.true.extend(faces.embed(drawn.true))
    readings.generated.extend(faces.embed(drawn.portraits))
    readings.other += [row if two else None for row, two in zip(faces.embed(drawn.other), different, strict=True)]
    readings.labels += drawn.labels
    # The variation between speakers is of different speakers: the first clip of each.
    new = [
        row
        for row, identity in enumerate(drawn.identities)
        if identity not in readings.identities and identity not in drawn.identities[:row]
    ]
    readings.identities += drawn.identities
    if attributes is not None:
        readings.read += attributes.read(drawn.portraits)
        readings.read_other += _read_some(attributes, drawn.other, different)
        unlabelled = np.array([not label.complete for label in drawn.labels])
        readings.read_true += _read_some(attributes, drawn.true, unlabelled)
    rows = new[: max(0, test.varied - len(readings.varied))] if test.seeds > 1 else []
    if rows:
        waveforms, keys = [drawn.waveforms[row] for row in rows], [drawn.keys[row] for row in rows]
        more = [_draw(pipeline, waveforms, keys, test.seed + number) for number in range(1, test.seeds)]
        features = [faces.embed(pictures) for pictures in (drawn.portraits[rows], *more)]
        readings.varied += torch.stack(features, dim=1)
    for pictures, suffix in ((drawn.portraits, PORTRAIT), (drawn.true, TRUE)):
        _write_pictures(pictures, drawn.keys, max(0, test.pictures - done), out / SAMPLES, suffix)
    readings.keys += drawn.keys


def _read_some(
    attributes: "AttributeReader", pictures: "np.ndarray", wanted: "np.ndarray"
) -> "list[Attributes | None]":
    """Gender and age of the wanted pictures; None for the others, which are not asked for."""
    found = iter(attributes.read(pictures[wanted]) if wanted.any() else [])
    return [next(found) if one else None for one in wanted]


def _draw(
    pipeline: "PortraitPipeline", waveforms: "Sequence[np.ndarray]", keys: Sequence[str], seed: int
) -> "np.ndarray":
    """A portrait for each speech, (B, H, W, 3); its noise follows from seed and key alone."""
    return np.stack([output.image for output in pipeline.generate(waveforms, [clip_seed(seed, key) for key in keys])])


def _mean_face(pipeline: "PortraitPipeline") -> "np.ndarray":
    """The run's face prior as a picture (1, H, W, 3)."""
    with torch.no_grad():
        return to_uint8(pipeline.face_decoder(pipeline.portrait_diffusion.prior.get_buffer("z_p")[None]))


def _write_pictures(pictures: "np.ndarray", keys: Sequence[str], count: int, folder: Path, suffix: str) -> None:
    for picture, key in islice(zip(pictures, keys, strict=True), count):
        Image.fromarray(picture).save(folder / f"{key}{suffix}")


def _write_clips(readings: "PortraitReadings", path: Path) -> None:
    """One line for each portrait: how far it is from the true face, and what was read off it."""
    angles = feature_distances(torch.stack(readings.generated), torch.stack(readings.true))["cosine_degrees"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "cosine_degrees", "gender", "age", "gender_read", "age_read"])
        for index, key in enumerate(readings.keys):
            label, read = readings.labels[index], readings.read[index] if readings.read else None
            known = ["", ""] if read is None else [read.gender, f"{read.age:.1f}"]
            writer.writerow([key, f"{angles[index]:.3f}", label.gender, label.age, *known])
