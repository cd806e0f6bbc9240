"""Finds the finished runs of a table's row below a folder, and checks that their configs are the row's."""

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
from s2tf.reporting.protocols import differences
from s2tf.reporting.read_scores import PORTRAITS, VIDEOS, read_scores
from s2tf.reporting.run_scores import RunScores
from s2tf.runs.folder import CONFIG_FILE as RUN_FILE
from s2tf.runs.folder import read_config

SEEDS = ("seed_everything", "seed")
NOT_COMPARED = (*SEEDS, "tracking")
"""Keys of a config in which runs of one row may differ: their seeds, and how they are tracked."""
RECONSTRUCTION_PARTS = ("lip_refiner", "codebook")
"""Parts of the motion autoencoder that distinguish the rows of Table X."""
PAPERS_RUN = "codebook"
"""Run of the paper's chain, experiments/codebook.yaml: it has both parts."""
CONTROLS = ("prior", "normalise")
"""Arguments of a weighting of the prior that distinguish our controls from the paper's rows."""
READING, SPEECH, CHANNELS = "landmarks supervise the codes", "speech_features", "speech_channels"
"""Further differences between rows of Tables X and XI."""
SIZES = ("table11-wav2vec", "table11-wav2vec_large")
"""Experiments whose speech features differ in nothing but the network's size."""
WITHOUT_CONRE = ("table3-frozen_speech",)
"""Experiments with a frozen speech encoder that ConRe has not trained."""
SPEECH_ENCODERS = {"table6-wav2vec": "WaveformSpeechEncoder"}
"""Experiments whose speech encoder is not the CNN."""
ABLATED = ("train_speech_encoder", "diffusion.injection", "diffusion.weighting.class_path")
"""Arguments of the stage that distinguish the rows of the first stage's tables."""


def runs_of_row(row: Row, runs: Path, kind: str) -> list[RunScores]:
    """Return the runs of a row in the order of their seeds, each config once: an experiment may have several names.

    Raises:
        UserError: A run's config is not its row's, or runs differ in more than their seed; the message names the
            differences.
    """
    paths = [path for name in row.runs for path in sorted((runs / name).glob(f"*/{METRICS_FILE}"))]
    if kind == VIDEOS:
        # Folders of videos, which have no config of their own.
        return [read_scores(path, kind, number) for number, path in enumerate(paths)]
    # Read each config once.
    found: dict[str, RunScores] = {}
    for path in paths:
        _CHECKS[kind](row.label, path.parent.parent.name, path.parent)
        # The folder's name is the hash of the config.
        found.setdefault(path.parent.name, read_scores(path, kind, read_config(path.parent)["seed_everything"]))
    # Compare the runs with each other.
    ordered = sorted(found.values(), key=lambda one: one.seed)
    reject_duplicate_seeds(row.label, ordered)
    for one, other in itertools.pairwise(ordered):
        if unlike := differences(_without_seeds(read_config(one.folder)), _without_seeds(read_config(other.folder))):
            raise UserError(
                f"row {row.label!r}: {one.folder} and {other.folder} differ in more than their seed: "
                f"{'; '.join(unlike[:3])}: keep them in different folders of runs"
            )
    return ordered


def reject_duplicate_seeds(label: str, runs: Sequence[RunScores]) -> None:
    """Refuse two runs of a row with the same seed.

    Raises:
        UserError: Two have the same.
    """
    for one, other in itertools.pairwise(sorted(runs, key=lambda one: one.seed)):
        if one.seed == other.seed:
            raise UserError(
                f"row {label!r}: {one.folder} and {other.folder} both have the seed {one.seed}: one of them has "
                "other settings, or other runs before it, or one run was found twice: keep them in different folders"
            )


def _check_portraits(label: str, experiment: str, run: Path) -> None:
    """Refuse a run whose overrides have changed it into another row than its experiment's."""
    # Compare the stage's arguments and the network that was trained.
    config = read_config(run)
    wanted, found = _ablated(_expected(experiment)), _ablated(config)
    reader = _network_config(run, "speech_encoder")["class_path"]
    found["speech_encoder"] = reader.rpartition(".")[2]
    wanted["speech_encoder"] = SPEECH_ENCODERS.get(experiment, "SpeechEncoder")
    # Compare the pretraining that the run started from.
    before = _run_of(Path(config["model"]["init_args"]["face_encoder"]["init_args"]["folder"]))
    if before is not None:
        # A speech encoder that is trained with the diffusion means pretraining without ConRe.
        wanted["ConRe's contrastive loss"] = not wanted[ABLATED[0]] and experiment not in WITHOUT_CONRE
        weight = read_config(before)["model"]["init_args"].get("contrastive_weight", 1.0)
        found["ConRe's contrastive loss"] = weight > 0
    _refuse_differences(label, run, wanted, found)


def _check_reconstruction(label: str, experiment: str, run: Path) -> None:
    """Refuse a run of the motion autoencoder whose network has other parts than its row's."""
    has = _network_config(run, "motion_autoencoder")["init_args"]
    found: dict[str, Any] = {part: has.get(part) is not None for part in RECONSTRUCTION_PARTS}
    wanted: dict[str, Any] = _parts_of(experiment)
    if not any(wanted.values()):
        stages = (config["model"]["init_args"] for config in (_expected(experiment), read_config(run)))
        wanted[READING], found[READING] = (one.get("weights", {}).get("motion_reader", 1.0) > 0 for one in stages)
    _refuse_differences(label, run, wanted, found)


def _parts_of(experiment: str) -> dict[str, Any]:
    """Return the parts of the motion autoencoder that an experiment has by its name."""
    row = "both" if experiment == PAPERS_RUN else experiment.rpartition("-")[2].removesuffix("_jointly")
    return {part: row in (part, "both") for part in RECONSTRUCTION_PARTS}


def check_system(row: Row, kind: str, score: RunScores) -> None:
    """Refuse the results of an arm whose pipeline is not that of the row: its parts, or its speech features.

    Args:
        row: The row.
        kind: Kind of numbers of the table's own runs, by which its rows differ.
        score: Results; those that tell nothing about their system are taken as they are named.

    Raises:
        UserError: The pipeline is that of another row.
    """
    if not score.system or not row.runs:
        return
    wanted: dict[str, Any] = {}
    if kind == "reconstruction":
        wanted = _parts_of(row.runs[0])
    elif kind == "motion":
        wanted = _wanted_speech(row.runs[0], score.system.get(CHANNELS))
    _refuse_differences(row.label, Path(score.folder), wanted, {key: score.system.get(key) for key in wanted})


def _check_motion(label: str, experiment: str, run: Path) -> None:
    """Refuse a run of motion diffusion whose speech features are not its row's."""
    config = read_config(run)
    found = {SPEECH: _speech_features(config), CHANNELS: _speech_channels(config)}
    wanted = _wanted_speech(experiment, found[CHANNELS])
    _refuse_differences(label, run, wanted, {key: found[key] for key in wanted})


def _wanted_speech(experiment: str, channels: Any) -> dict[str, Any]:
    """Return what the speech features of an experiment must be, against a network with `channels`.

    Networks of other widths than those of `SIZES`, as in rehearsals at debug width, stand for any size.
    """
    wanted: dict[str, Any] = {SPEECH: _speech_features(_expected(experiment))}
    sizes = {name: _speech_channels(_expected(name)) for name in SIZES}
    if experiment in sizes and channels in sizes.values():
        wanted[CHANNELS] = sizes[experiment]
    return wanted


def _speech_features(config: Mapping[str, Any]) -> str:
    """Return the class of a motion diffusion's speech features."""
    return str(config["model"]["init_args"]["speech_features"]["class_path"].rpartition(".")[2])


def _speech_channels(config: Mapping[str, Any]) -> Any:
    """Return the channels of a motion diffusion's speech features, or None where the config does not name them."""
    found: Any = config["model"]["init_args"]
    for key in ("diffusion", "unet"):
        found = found.get(key, {}).get("init_args", {})
    return found.get("feature_dim")


_CHECKS = {PORTRAITS: _check_portraits, "reconstruction": _check_reconstruction, "motion": _check_motion}


def _network_config(run: Path, name: str) -> dict[str, Any]:
    path = run / "networks" / name / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{run} has measurements, but its network is missing: expected {path}")
    return json.loads(path.read_text())


def _refuse_differences(label: str, run: Path, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    if unlike := differences(wanted, found):
        raise UserError(f"{run} is no run of row {label!r}: {'; '.join(unlike)} (the row's and the run's)")


@functools.cache
def _expected(experiment: str) -> dict[str, Any]:
    """Return the config of the experiment that a run is named after, such as table3-both."""
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
    controls = {f"weighting.{key}": diffusion["weighting"].get("init_args", {}).get(key) for key in CONTROLS}
    return {**dict(zip(ABLATED, values, strict=True)), **controls}


def _without_seeds(tree: Any) -> Any:
    """Return a config without seeds; a folder of networks is replaced by the config that they were trained with."""
    if isinstance(tree, Mapping):
        return {key: _value_without_seeds(key, value) for key, value in tree.items() if key not in NOT_COMPARED}
    return [_without_seeds(one) for one in tree] if isinstance(tree, list) else tree


def _value_without_seeds(key: str, value: Any) -> Any:
    if key == "folder" and isinstance(value, str):
        return _made_by(Path(value))
    if key == "shards" and isinstance(value, str):
        return _recordings_of(value)
    return _without_seeds(value)


def _recordings_of(shards: str) -> str:
    """Return the plan of the recordings in shards: copies with codes of different networks hold the same ones."""
    path = Path(shards) / "manifest.json"
    return json.loads(path.read_text()).get("plan", shards) if path.is_file() else shards


def _made_by(folder: Path) -> Any:
    """Return the config of the run that a network belongs to, or a prior's provenance; else the path."""
    run = _run_of(folder)
    if run is not None:
        return {"run of": run.parent.name, **_without_seeds(read_config(run))}
    if (folder / CONFIG_FILE).is_file():
        return _without_seeds(json.loads((folder / CONFIG_FILE).read_text()))
    return str(folder)


def _run_of(folder: Path) -> Path | None:
    """Return the run that a network's folder belongs to."""
    return next((parent for parent in folder.parents if (parent / RUN_FILE).is_file()), None)


def with_flops(score: RunScores) -> RunScores:
    """Add the FLOPs of the run's weighting of the prior, for one speech."""
    path = Path(score.folder) / "networks" / "portrait_diffusion" / CONFIG_FILE
    arguments = json.loads(path.read_text())["init_args"]
    with torch.device("meta"):
        weighting: Any = build_network(arguments["weighting"], str(path)).eval()
        dim = arguments["prior"]["init_args"]["dim"]
        flops = count_flops(lambda: weighting.beta(torch.zeros(1, dim), torch.zeros(dim)))
    return replace(score, values={**score.values, "": float(flops)})
