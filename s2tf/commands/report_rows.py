"""Finished runs as the paper's tables: found below a folder of runs, checked to be comparable, put side by side."""

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.config import EXPERIMENTS
from s2tf.errors import UserError
from s2tf.runs import CONFIG_FILE as RUN_FILE
from s2tf.runs import read_config

if TYPE_CHECKING:
    from s2tf.metrics.table import ReportTable, RunScores

SEEDS = ("seed_everything", "seed")
PORTRAITS = "portraits"
REBUILT_PARTS = ("lip_refiner", "codebook")
"""What tells the rows of Table X apart."""
SPEECH_ENCODERS = {"table6-wav2vec": "WaveformSpeechEncoder"}
"""Rows of another speech encoder than the CNN."""
ABLATED = ("train_speech_encoder", "diffusion.injection", "diffusion.weighting.class_path")
"""What tells the rows of the first stage's tables apart, below the stage's arguments."""


def report_table(name: str, runs: Path) -> "ReportTable":
    """A table of the paper with the runs below `runs` in it.

    Raises:
        UserError: there is no finished run of any row, a run is not what its row says, runs of one row differ in more
            than their seed or have the same, or runs were measured by different protocols; the message names them.
    """
    from s2tf.metrics.paper import TABLES
    from s2tf.metrics.table import build_table

    table = TABLES[name]
    scores = {row.label: _of_row(row.label, row.runs, runs, table.kind) for row in table.rows}
    every = [one for found in scores.values() for one in found]
    if not every:
        wanted = ", ".join(experiment for row in table.rows for experiment in row.runs)
        raise UserError(f"{runs}: no run with a metrics.json of `s2tf evaluate` of any of: {wanted}")
    _check_protocols(every)
    if any(column.measurement == "" for column in table.columns):
        scores = {label: [_with_flops(one) for one in found] for label, found in scores.items()}
    return build_table(table, scores)


def read_scores(path: Path, kind: str = PORTRAITS) -> "RunScores":
    """A `metrics.json`, with what the run's config says of it.

    Raises:
        UserError: the file is not one of `s2tf evaluate`, or not of that kind.
    """
    from s2tf.metrics.table import RunScores

    try:
        record = json.loads(path.read_text())
        if record["kind"] != kind:
            raise UserError(f"{path}: numbers of {record['kind']}, expected those of {kind}")
        measurements = record["measurements"]
        parts = {
            part: {name: one[key] for name, one in measurements.items() if one[key] is not None}
            for part, key in (("values", "value"), ("baselines", "baseline"), ("truths", "truth"))
        }
        protocol = record["protocol"] | (_portrait_protocol(measurements) if kind == PORTRAITS else {})
        return RunScores(
            experiment=record["experiment"],
            folder=str(path.parent),
            seed=read_config(path.parent)["seed_everything"],
            protocol=protocol,
            random_weights=tuple(record["random_weights"]),
            **parts,
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not written by `s2tf evaluate`: {error!r}") from error


def _portrait_protocol(measurements: Mapping[str, Any]) -> dict[str, Any]:
    gallery = measurements["R@1"]["protocol"]["gallery_size"]
    reader = measurements.get("gender", measurements.get("age", {})).get("protocol", {}).get("reader", "nothing")
    return {"gallery": gallery, "gender and age by": reader}


def _of_row(label: str, experiments: Sequence[str], runs: Path, kind: str) -> "list[RunScores]":
    """The runs of a row, each config once: one experiment may have several names."""
    found: dict[str, RunScores] = {}
    for experiment in experiments:
        for path in sorted((runs / experiment).glob("*/metrics.json")):
            _CHECKS[kind](label, experiment, path.parent)
            # The folder's name is the hash of the config.
            found.setdefault(path.parent.name, read_scores(path, kind))
    ordered = sorted(found.values(), key=lambda one: one.seed)
    for one, other in itertools.pairwise(ordered):
        if one.seed == other.seed:
            raise UserError(
                f"row {label!r}: {one.folder} and {other.folder} both have the seed {one.seed}: one of them has "
                "other settings, or other runs before it; keep them in different folders of runs"
            )
        if differences := _differences(_bare(read_config(one.folder)), _bare(read_config(other.folder))):
            raise UserError(
                f"row {label!r}: {one.folder} and {other.folder} differ in more than their seed: "
                f"{'; '.join(differences[:3])}: keep them in different folders of runs"
            )
    return ordered


def _check_portraits(label: str, experiment: str, run: Path) -> None:
    """Refuse a run whose overrides have made it another row than its experiment's."""
    config = read_config(run)
    wanted, found = _ablated(_expected(experiment)), _ablated(config)
    reader = _network_config(run, "speech_encoder")["class_path"]
    found["speech_encoder"] = reader.rpartition(".")[2]
    wanted["speech_encoder"] = SPEECH_ENCODERS.get(experiment, "SpeechEncoder")
    before = _run_of(Path(config["model"]["init_args"]["face_encoder"]["init_args"]["folder"]))
    if before is not None:
        # A speech encoder that learns along stands for a training without ConRe.
        wanted["ConRe's contrastive loss"] = not wanted[ABLATED[0]]
        weight = read_config(before)["model"]["init_args"].get("contrastive_weight", 1.0)
        found["ConRe's contrastive loss"] = weight > 0
    _refuse_differences(label, run, wanted, found)


def _check_reconstruction(label: str, experiment: str, run: Path) -> None:
    """The same for the motion autoencoder, by the parts that its network has."""
    has = _network_config(run, "motion_autoencoder")["init_args"]
    found = {part: has.get(part) is not None for part in REBUILT_PARTS}
    row = experiment.rpartition("-")[2]
    wanted = {part: row in (part, "both") for part in REBUILT_PARTS}
    _refuse_differences(label, run, wanted, found)


def _check_motion(label: str, experiment: str, run: Path) -> None:
    """The same for motion diffusion, by what reads the speech."""
    stages = (_expected(experiment), read_config(run))
    wanted, found = (
        {"speech_features": config["model"]["init_args"]["speech_features"]["class_path"].rpartition(".")[2]}
        for config in stages
    )
    _refuse_differences(label, run, wanted, found)


_CHECKS = {PORTRAITS: _check_portraits, "reconstruction": _check_reconstruction, "motion": _check_motion}


def _network_config(run: Path, name: str) -> dict[str, Any]:
    from s2tf.nn.network import CONFIG_FILE

    path = run / "networks" / name / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{run} was measured, but its network is gone: expected {path}")
    return json.loads(path.read_text())


def _refuse_differences(label: str, run: Path, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    if differences := _differences(wanted, found):
        raise UserError(f"{run} is no run of row {label!r}: {'; '.join(differences)} (the row's, and the run's)")


@functools.cache
def _expected(experiment: str) -> dict[str, Any]:
    """The experiment of a run's name, such as table3-both, as its file says."""
    from s2tf.config import compose

    folder, _, name = experiment.rpartition("-")
    path = EXPERIMENTS / "ablations" / folder / f"{name}.yaml" if folder else EXPERIMENTS / f"{name}.yaml"
    return compose(path, missing="random")


def _ablated(config: Mapping[str, Any]) -> dict[str, Any]:
    stage = config["model"]["init_args"]
    diffusion = stage["diffusion"]["init_args"]
    values = (
        stage.get("train_speech_encoder", False),
        diffusion.get("injection"),
        diffusion["weighting"]["class_path"],
    )
    return dict(zip(ABLATED, values, strict=True))


def _check_protocols(scores: "Sequence[RunScores]") -> None:
    first = scores[0]
    for one in scores[1:]:
        if differences := _differences(_comparable(first.protocol), _comparable(one.protocol)):
            raise UserError(
                f"{first.folder} and {one.folder} were measured by different protocols: {'; '.join(differences[:3])}: "
                "evaluate them in the same way"
            )


def _comparable(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol without what differs between the seeds of one experiment, and without copies' own names."""
    from s2tf.commands.evaluate_motion import AUTOENCODER

    own = (AUTOENCODER, "shards") if AUTOENCODER in protocol else ()
    return {key: value for key, value in protocol.items() if key not in own}


def _bare(tree: Any) -> Any:
    """A config without seeds; in the place of a folder of networks, what made them."""
    if isinstance(tree, Mapping):
        return {key: _bare_value(key, value) for key, value in tree.items() if key not in SEEDS}
    return [_bare(one) for one in tree] if isinstance(tree, list) else tree


def _bare_value(key: str, value: Any) -> Any:
    if key == "folder" and isinstance(value, str):
        return _made_by(Path(value))
    if key == "shards" and isinstance(value, str):
        return _recordings_of(value)
    return _bare(value)


def _recordings_of(shards: str) -> str:
    """Which recordings they hold: copies with codes of different networks hold the same ones."""
    path = Path(shards) / "manifest.json"
    return json.loads(path.read_text()).get("plan", shards) if path.is_file() else shards


def _made_by(folder: Path) -> Any:
    """The bare config of the run that a network is of, or a prior's provenance; the path where neither is there."""
    from s2tf.nn.network import CONFIG_FILE

    run = _run_of(folder)
    if run is not None:
        return {"run of": run.parent.name, **_bare(read_config(run))}
    if (folder / CONFIG_FILE).is_file():
        return _bare(json.loads((folder / CONFIG_FILE).read_text()))
    return str(folder)


def _run_of(folder: Path) -> Path | None:
    """The run that a network's folder belongs to."""
    return next((parent for parent in folder.parents if (parent / RUN_FILE).is_file()), None)


def _differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two trees differ, as `key: this and that`."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        return [
            difference
            for key in keys
            for difference in _differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if one == other else [f"{path}: {one} and {other}"]


def _with_flops(score: "RunScores") -> "RunScores":
    """With the FLOPs of the run's weighting of the prior, for one speech."""
    from dataclasses import replace

    import torch

    from s2tf.metrics.flops import count_flops
    from s2tf.nn.network import CONFIG_FILE, build_network

    path = Path(score.folder) / "networks" / "portrait_diffusion" / CONFIG_FILE
    arguments = json.loads(path.read_text())["init_args"]
    with torch.device("meta"):
        weighting: Any = build_network(arguments["weighting"], str(path)).eval()
        dim = arguments["prior"]["init_args"]["dim"]
        flops = count_flops(lambda: weighting.beta(torch.zeros(1, dim), torch.zeros(dim)))
    return replace(score, values={**score.values, "": float(flops)})
