"""Portraits of a run's test speakers, measured as in Tables I to VI: features, gender and age, retrieval, variation.

For every test clip one portrait is drawn from the beginning of its speech. It is compared with the clip's frame that
the data module's seed chooses; another frame of the same clip takes the portrait's place in the ground-truth row, and
the run's mean face in the baseline of the feature distances.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table
    from torch import Tensor

    from s2tf.metrics.attributes import AttributeReader, Attributes
    from s2tf.metrics.face_features import FaceFeatures
    from s2tf.metrics.protocol import Measurement
    from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings

METRICS_FILE = "metrics.json"
CLIPS_FILE = "portraits.csv"
SAMPLES = "samples"
RANKS = (1, 2, 5, 10)
KIND = "portraits"


@dataclass(frozen=True)
class PortraitTest:
    """What is drawn, of what, and how."""

    settings: "PortraitSettings"
    """Sampler, steps, guidance and temperature; the length of the speech is the run's."""
    shards: str | None = None
    """Other test data than the run's own."""
    clips: int | None = None
    seed: int = 0
    seeds: int = 4
    """Portraits of each of the `varied` speeches."""
    varied: int = 32
    batch: int = 32
    pictures: int = 64
    """Portraits to keep as pictures."""
    device: str = "cpu"


@dataclass
class Scores:
    """What was measured on one run's portraits."""

    experiment: str
    measurements: "list[Measurement]"
    protocol: dict[str, Any]
    random_weights: list[str]

    def to_json(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        from s2tf.metrics.protocol import measurements_to_json

        return {
            "kind": KIND,
            "experiment": self.experiment,
            "random_weights": self.random_weights,
            "protocol": self.protocol,
            "measurements": measurements_to_json(self.measurements),
        }

    def table(self) -> "Table":
        """To print."""
        from rich.table import Table

        note = f" — RANDOM WEIGHTS: {', '.join(self.random_weights)}" if self.random_weights else ""
        title = f"{self.experiment}: {self.protocol['clips']} portraits{note}"
        table = Table("what", "value", "baseline", "ground truth", title=title, title_justify="left")
        for one in self.measurements:
            baseline = "" if one.baseline is None else f"{one.baseline:.3f} ({one.baseline_name})"
            table.add_row(one.name, f"{one.value:.3f}", baseline, "" if one.truth is None else f"{one.truth:.3f}")
        return table


@dataclass
class _Clips:
    """What is kept of the clips, in their order."""

    keys: list[str] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    labels: "list[Attributes]" = field(default_factory=list)
    true: "list[Tensor]" = field(default_factory=list)
    """Features (D,) of the true frame."""
    other: "list[Tensor]" = field(default_factory=list)
    """Of another frame of the clip."""
    generated: "list[Tensor]" = field(default_factory=list)
    read: "list[Attributes | None]" = field(default_factory=list)
    read_true: "list[Attributes | None]" = field(default_factory=list)
    varied: "list[Tensor]" = field(default_factory=list)
    """Features (N, D) of several portraits of a speech."""


def evaluate_portraits(
    run: Path,
    test: PortraitTest,
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
    out: Path,
    report: Callable[[str], None] = lambda text: None,
) -> Scores:
    """Draw, measure and write `metrics.json`, `portraits.csv` and `samples/` into `out`.

    Args:
        run: A finished run of the portrait diffusion.
        test: What to draw.
        faces: The network that compares faces.
        attributes: What reads gender and age; None leaves them out.
        out: A folder.
        report: Called with a line on how far it is.

    Raises:
        UserError: The run is not finished, or its test data have no clip.
    """
    from s2tf.errors import UserError

    config = _config(run)
    pipeline = _pipeline(run, config, test)
    data = _data(config, test)
    (out / SAMPLES).mkdir(parents=True, exist_ok=True)
    clips = _Clips()
    total = test.clips or _count(data)
    for batch in _batches(data, test):
        _add(batch, clips, pipeline, faces, attributes, test, out)
        report(f"{run.parent.name}: {len(clips.keys)} of {total} portraits")
    if not clips.keys:
        raise UserError(f"{run}: its data have no test clip")
    protocol = {
        "clips": len(clips.keys),
        "data": _fingerprint(data),
        "faces": dict(faces.protocol),
        "speech (s)": pipeline.portrait_settings.seconds,
        "picture (px)": data.size,
        "compared with": "a frame of the same clip chosen by the data's seed",
        **{name: getattr(test.settings, name) for name in ("steps", "sampler", "guidance", "temperature")},
        "seed": test.seed,
    }
    measurements = [
        *_distances(clips, faces, _mean_face(pipeline), protocol),
        *_retrieval(clips, protocol),
        *_attributes(clips, attributes, protocol),
        *_variation(clips, faces, test, protocol),
    ]
    scores = Scores(run.parent.name, measurements, protocol, list(pipeline.random_weights))
    (out / METRICS_FILE).write_text(json.dumps(scores.to_json(), indent=2) + "\n")
    _write_clips(clips, out / CLIPS_FILE)
    return scores


def _config(run: Path) -> dict[str, Any]:
    import yaml

    from s2tf.errors import UserError
    from s2tf.runs import CONFIG_FILE

    path = run / CONFIG_FILE
    if not path.is_file() or not (run / "networks" / "portrait_diffusion").is_dir():
        raise UserError(f"{run}: no finished run of the portrait diffusion: expected {CONFIG_FILE} and networks/ in it")
    return yaml.safe_load(path.read_text())


def _pipeline(run: Path, config: Mapping[str, Any], test: PortraitTest) -> "PortraitPipeline":
    from dataclasses import replace
    from typing import cast

    from s2tf.nn.network import load_network
    from s2tf.pipelines.portrait import PortraitPipeline

    def network(name: str) -> Any:
        return load_network(str(run / "networks" / name))

    settings = replace(test.settings, seconds=config["data"]["init_args"]["seconds"])
    pipeline = PortraitPipeline(
        network("speech_encoder"), network("portrait_diffusion"), network("face_decoder"), settings
    )
    return cast(PortraitPipeline, pipeline.to(test.device))


def _data(config: Mapping[str, Any], test: PortraitTest) -> Any:
    """The run's data module, which gives each test clip twice, with different frames."""
    from s2tf.commands.data_module import build_parts

    section = config["data"]
    changes: dict[str, Any] = {"batch_size": 2 * test.batch}
    if test.shards is not None:
        changes["shards"] = test.shards
    data = build_parts({"data": {**section, "init_args": {**section["init_args"], **changes}}}).data
    data.per_clip_eval = 2
    return data


def _count(data: Any) -> int:
    return sum(int(source.split("test").counts.sum()) for source in data.sources)


def _fingerprint(data: Any) -> str:
    """Of the data sets' manifests."""
    text = json.dumps([source.manifest for source in data.sources], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _batches(data: Any, test: PortraitTest) -> Iterator[dict[str, Any]]:
    """Batches of pairs: rows 2i and 2i + 1 are the same clip."""
    wanted = test.clips
    for batch in map(data.finish, data.once("test")):
        yield {name: value if wanted is None else value[: 2 * wanted] for name, value in batch.items()}
        if wanted is not None:
            wanted -= len(batch["key"]) // 2
            if wanted <= 0:
                return


def _add(
    batch: dict[str, Any],
    clips: _Clips,
    pipeline: "PortraitPipeline",
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
    test: PortraitTest,
    out: Path,
) -> None:
    import numpy as np

    from s2tf.metrics.attributes import Attributes
    from s2tf.pipelines.base import to_uint8

    keys, others = batch["key"][::2], batch["key"][1::2]
    assert list(keys) == list(others), "the two frames of a clip come one after the other"
    waveforms = batch["waveform"][::2].numpy()
    portraits = _draw(pipeline, waveforms, keys, test.seed)
    true, other = to_uint8(batch["portrait"][::2]), to_uint8(batch["portrait"][1::2])
    features = faces.embed(np.concatenate([true, other, portraits]))
    for rows, part in zip((clips.true, clips.other, clips.generated), features.chunk(3), strict=True):
        rows.extend(part)
    if attributes is not None:
        clips.read += attributes.read(portraits)
        clips.read_true += attributes.read(true)
    genders, ages = batch["gender"][::2].tolist(), batch["age"][::2].tolist()
    clips.labels += [Attributes(gender, age) for gender, age in zip(genders, ages, strict=True)]
    clips.identities += batch["identity"][::2].tolist()
    for index in range(max(0, min(len(keys), test.varied - len(clips.keys)))):
        first = portraits[index : index + 1]
        more = [_draw(pipeline, waveforms[index : index + 1], keys[index : index + 1], test.seed + seed)
                for seed in range(1, test.seeds)]
        if more:
            clips.varied.append(faces.embed(np.concatenate([first, *more])))
    _write_pictures(portraits, keys, max(0, test.pictures - len(clips.keys)), out / SAMPLES)
    clips.keys += keys


def _draw(pipeline: "PortraitPipeline", waveforms: "np.ndarray", keys: Sequence[str], seed: int) -> "np.ndarray":
    """A portrait for each speech, (B, H, W, 3); its noise follows from seed and key alone."""
    import numpy as np

    return np.stack([output.image for output in pipeline.generate(waveforms, [_seed(seed, key) for key in keys])])


def _seed(seed: int, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big")


def _mean_face(pipeline: "PortraitPipeline") -> "np.ndarray":
    """The run's face prior as a picture (1, H, W, 3)."""
    import torch

    from s2tf.pipelines.base import to_uint8

    with torch.no_grad():
        return to_uint8(pipeline.face_decoder(pipeline.portrait_diffusion.prior.get_buffer("z_p")[None]))


def _distances(
    clips: _Clips, faces: "FaceFeatures", mean_face: "np.ndarray", protocol: Mapping[str, Any]
) -> "list[Measurement]":
    import torch

    from s2tf.metrics.portrait import FeatureDistance
    from s2tf.metrics.protocol import Measurement

    true = torch.stack(clips.true)
    rows = {
        "value": torch.stack(clips.generated),
        "baseline": faces.embed(mean_face).expand_as(true),
        "truth": torch.stack(clips.other),
    }
    found = {}
    for name, features in rows.items():
        metric = FeatureDistance(str(faces.protocol["network"]))
        metric.update(features, true)
        found[name] = {key: float(value) for key, value in metric.compute().items()}
    return [
        Measurement(
            name=name,
            value=found["value"][name],
            baseline=found["baseline"][name],
            baseline_name="mean face",
            truth=found["truth"][name],
            higher_is_better=name == "cosine_similarity",
            protocol=protocol,
            counts={"portraits": len(true)},
        )
        for name in FeatureDistance.NAMES
    ]


def _retrieval(clips: _Clips, protocol: Mapping[str, Any]) -> "list[Measurement]":
    """Portraits (and other true frames) search the speakers' true frames; a speaker's clips share one row."""
    import torch

    from s2tf.metrics.protocol import Measurement
    from s2tf.metrics.retrieval import RecallAtK

    numbers, identities = torch.tensor(clips.identities).unique(return_inverse=True)
    true = torch.stack(clips.true)
    gallery = torch.zeros(len(numbers), true.shape[1]).index_add_(0, identities, torch.nn.functional.normalize(true))
    recalls = {}
    for name, queries in (("value", clips.generated), ("truth", clips.other)):
        metric = RecallAtK([rank for rank in RANKS if rank <= len(numbers)])
        metric.add_gallery(gallery, torch.arange(len(numbers)))
        metric.update(torch.stack(queries), identities)
        recalls[name] = metric.compute()
    return [
        Measurement(
            name=name,
            value=recalls["value"][name].item(),
            baseline=chance,
            baseline_name="chance",
            truth=recalls["truth"][name].item(),
            protocol={**protocol, **metric.protocol},
            counts={"portraits": len(true)},
        )
        for name, chance in metric.chance.items()
    ]


def _attributes(
    clips: _Clips, attributes: "AttributeReader | None", protocol: Mapping[str, Any]
) -> "list[Measurement]":
    """Gender and age of the portraits against the data set's labels; where it has none, against what is read off the
    true frame."""
    import statistics

    from s2tf.metrics.attributes import AGE_TOLERANCE, UNKNOWN, IdentityPreservation
    from s2tf.metrics.protocol import Measurement

    if attributes is None:
        return []
    truth = [_known(label, read) for label, read in zip(clips.labels, clips.read_true, strict=True)]
    metrics = {}
    for name, read in (("value", clips.read), ("truth", clips.read_true)):
        metric = metrics[name] = IdentityPreservation(attributes.protocol)
        metric.update(read, truth)
    found = {name: metric.compute() for name, metric in metrics.items()}
    genders = [one.gender for one in truth if one.gender != UNKNOWN]
    ages = [one.age for one in truth if one.age == one.age]
    median = statistics.median(ages) if ages else 0.0
    baselines = {
        "gender": max((genders.count(gender) / len(genders) for gender in set(genders)), default=float("nan")),
        "age": sum(abs(age - median) <= AGE_TOLERANCE for age in ages) / len(ages) if ages else float("nan"),
    }
    names = {"gender": "more frequent gender", "age": "median age"}
    labelled = {
        "gender": sum(one.gender != UNKNOWN for one in clips.labels),
        "age": sum(one.age == one.age for one in clips.labels),
    }
    counts = metrics["value"].last
    return [
        Measurement(
            name=name,
            value=found["value"][name].item(),
            baseline=baselines[name],
            baseline_name=names[name],
            truth=found["truth"][name].item(),
            protocol={**protocol, **metrics["value"].protocol},
            counts={
                "known": counts[f"{name}_known"],
                "labelled by the data set": labelled[name],
                "no face found": counts["unread"],
            },
        )
        for name in ("gender", "age")
        if counts[f"{name}_known"]
    ]


def _known(label: "Attributes", read: "Attributes | None") -> "Attributes":
    from s2tf.metrics.attributes import UNKNOWN, Attributes

    if read is None:
        return label
    gender = label.gender if label.gender != UNKNOWN else read.gender
    return Attributes(gender, label.age if label.age == label.age else read.age)


def _variation(
    clips: _Clips, faces: "FaceFeatures", test: PortraitTest, protocol: Mapping[str, Any]
) -> "list[Measurement]":
    import torch

    from s2tf.metrics.portrait import SeedVariation
    from s2tf.metrics.protocol import Measurement

    if not clips.varied:
        return []
    metric = SeedVariation(str(faces.protocol["network"]))
    metric.update(torch.stack(clips.varied))
    counts = {"speeches": len(clips.varied), "portraits of each": test.seeds}
    return [
        Measurement(name=name, value=value.item(), protocol=protocol, counts=counts)
        for name, value in metric.compute().items()
    ]


def _write_pictures(portraits: "np.ndarray", keys: Sequence[str], count: int, folder: Path) -> None:
    from PIL import Image

    for portrait, key in islice(zip(portraits, keys, strict=True), count):
        Image.fromarray(portrait).save(folder / f"{key}.png")


def _write_clips(clips: _Clips, path: Path) -> None:
    """One line for each portrait: how far it is from the true face, and what was read off it."""
    import torch

    from s2tf.metrics.portrait import feature_distances

    angles = feature_distances(torch.stack(clips.generated), torch.stack(clips.true))["cosine_degrees"]
    header = ["key", "cosine_degrees", "gender", "age", "gender_read", "age_read"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for index, key in enumerate(clips.keys):
            label, read = clips.labels[index], clips.read[index] if clips.read else None
            known = ["", ""] if read is None else [read.gender, f"{read.age:.1f}"]
            writer.writerow([key, f"{angles[index]:.3f}", label.gender, label.age, *known])
