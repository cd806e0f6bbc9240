"""The finished runs of a table's row, below a folder of runs, checked to be what the row says."""

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.nn.network import CONFIG_FILE, build_network
from s2tf.reporting.costs.flops import count_flops
from s2tf.reporting.paper import Row
from s2tf.reporting.read_scores import PORTRAITS, VIDEOS, differences, read_scores
from s2tf.reporting.run_scores import RunScores
from s2tf.runs.folder import CONFIG_FILE as RUN_FILE
from s2tf.runs.folder import read_config

SEEDS = ("seed_everything", "seed")
NOT_COMPARED = (*SEEDS, "tracking")
"""Keys of a config in which runs of one row may differ: their seeds, and what is kept of them besides."""
REBUILT_PARTS = ("lip_refiner", "codebook")
"""What tells the rows of Table X apart."""
SPEECH_ENCODERS = {"table6-wav2vec": "WaveformSpeechEncoder"}
"""Rows of another speech encoder than the CNN."""
ABLATED = ("train_speech_encoder", "diffusion.injection", "diffusion.weighting.class_path")
"""What tells the rows of the first stage's tables apart, below the stage's arguments."""


def runs_of_row(row: "Row", runs: Path, kind: str) -> "list[RunScores]":
    """The runs of a row in the order of their seeds, each config once: one experiment may have several names.

    Raises:
        UserError: a run is not what its row says, or runs differ in more than their seed; the message says in what.
    """
    paths = [path for name in row.runs for path in sorted((runs / name).glob(f"*/{METRICS_FILE}"))]
    if kind == VIDEOS:
        # Folders of videos, which no one config has made.
        return [read_scores(path, kind, number) for number, path in enumerate(paths)]
    found: dict[str, RunScores] = {}
    for path in paths:
        _CHECKS[kind](row.label, path.parent.parent.name, path.parent)
        # The folder's name is the hash of the config.
        found.setdefault(path.parent.name, read_scores(path, kind, read_config(path.parent)["seed_everything"]))
    ordered = sorted(found.values(), key=lambda one: one.seed)
    refuse_same_seed(row.label, ordered)
    for one, other in itertools.pairwise(ordered):
        if unlike := differences(_bare(read_config(one.folder)), _bare(read_config(other.folder))):
            raise UserError(
                f"row {row.label!r}: {one.folder} and {other.folder} differ in more than their seed: "
                f"{'; '.join(unlike[:3])}: keep them in different folders of runs"
            )
    return ordered


def refuse_same_seed(label: str, runs: "Sequence[RunScores]") -> None:
    """One run of a row for each seed.

    Raises:
        UserError: two have the same.
    """
    for one, other in itertools.pairwise(sorted(runs, key=lambda one: one.seed)):
        if one.seed == other.seed:
            raise UserError(
                f"row {label!r}: {one.folder} and {other.folder} both have the seed {one.seed}: one of them has "
                "other settings, or other runs before it, or they are one run found twice; keep them apart"
            )


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
    path = run / "networks" / name / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{run} was measured, but its network is gone: expected {path}")
    return json.loads(path.read_text())


def _refuse_differences(label: str, run: Path, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    if unlike := differences(wanted, found):
        raise UserError(f"{run} is no run of row {label!r}: {'; '.join(unlike)} (the row's, and the run's)")


@functools.cache
def _expected(experiment: str) -> dict[str, Any]:
    """The experiment of a run's name, such as table3-both, as its file says."""
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


def _bare(tree: Any) -> Any:
    """A config without seeds; in the place of a folder of networks, what made them."""
    if isinstance(tree, Mapping):
        return {key: _bare_value(key, value) for key, value in tree.items() if key not in NOT_COMPARED}
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
    run = _run_of(folder)
    if run is not None:
        return {"run of": run.parent.name, **_bare(read_config(run))}
    if (folder / CONFIG_FILE).is_file():
        return _bare(json.loads((folder / CONFIG_FILE).read_text()))
    return str(folder)


def _run_of(folder: Path) -> Path | None:
    """The run that a network's folder belongs to."""
    return next((parent for parent in folder.parents if (parent / RUN_FILE).is_file()), None)


def with_flops(score: "RunScores") -> "RunScores":
    """With the FLOPs of the run's weighting of the prior, for one speech."""
    path = Path(score.folder) / "networks" / "portrait_diffusion" / CONFIG_FILE
    arguments = json.loads(path.read_text())["init_args"]
    with torch.device("meta"):
        weighting: Any = build_network(arguments["weighting"], str(path)).eval()
        dim = arguments["prior"]["init_args"]["dim"]
        flops = count_flops(lambda: weighting.beta(torch.zeros(1, dim), torch.zeros(dim)))
    return replace(score, values={**score.values, "": float(flops)})
