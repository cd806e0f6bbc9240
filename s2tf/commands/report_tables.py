"""Finished runs as the paper's tables: found below a folder of runs, checked to be comparable, put side by side."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.errors import UserError

if TYPE_CHECKING:
    from s2tf.metrics.table import ReportTable, RunScores

SEEDED = ("seed_everything", "seed", "folder", "shards", "weights")
"""Keys of seeds, and of files that a seed's own earlier runs have left."""


def report_table(name: str, runs: Path) -> "ReportTable":
    """A table of the paper with the runs below `runs` in it.

    Raises:
        UserError: there is no finished run of any row, runs of one row differ in more than their seed, or runs were
            measured by different protocols; the message names them.
    """
    from s2tf.metrics.paper import TABLES
    from s2tf.metrics.table import build_table

    table = TABLES[name]
    scores = {row.label: _of_row(row.label, row.runs, runs) for row in table.rows}
    every = [one for found in scores.values() for one in found]
    if not every:
        wanted = ", ".join(experiment for row in table.rows for experiment in row.runs)
        raise UserError(f"{runs}: no run with a metrics.json of `s2tf evaluate` of any of: {wanted}")
    _check_protocols(every)
    if any(column.measurement == "" for column in table.columns):
        scores = {label: [_with_flops(one) for one in found] for label, found in scores.items()}
    return build_table(table, scores)


def read_scores(path: Path) -> "RunScores":
    """A `metrics.json`, with what the run's config says of it.

    Raises:
        UserError: the file is not one of `s2tf evaluate`.
    """
    from s2tf.metrics.table import RunScores

    try:
        record = json.loads(path.read_text())
        measurements = record["measurements"]
        parts = {
            part: {name: one[key] for name, one in measurements.items() if one[key] is not None}
            for part, key in (("values", "value"), ("baselines", "baseline"), ("truths", "truth"))
        }
        gallery = measurements["R@1"]["protocol"]["gallery_size"]
        reader = measurements.get("gender", {}).get("protocol", {}).get("reader", {}).get("network", "none")
        return RunScores(
            experiment=record["experiment"],
            folder=str(path.parent),
            seed=_config(path.parent).get("seed_everything"),
            protocol={**record["protocol"], "gallery": gallery, "gender and age by": reader},
            random_weights=tuple(record["random_weights"]),
            **parts,
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not written by `s2tf evaluate`: {error!r}") from error


def _of_row(label: str, experiments: Sequence[str], runs: Path) -> "list[RunScores]":
    """The runs of a row, each config once: one experiment may have several names."""
    found: dict[str, RunScores] = {}
    for experiment in experiments:
        for path in sorted((runs / experiment).glob("*/metrics.json")):
            # The folder's name is the hash of the config.
            found.setdefault(path.parent.name, read_scores(path))
    ordered = list(found.values())
    for one in ordered[1:]:
        if differences := _differences(_bare(_config(ordered[0].folder)), _bare(_config(one.folder))):
            raise UserError(
                f"row {label!r}: {ordered[0].folder} and {one.folder} differ in more than their seed: "
                f"{'; '.join(differences[:3])}: keep them in different folders of runs"
            )
    return ordered


def _check_protocols(scores: "Sequence[RunScores]") -> None:
    first = scores[0]
    for one in scores[1:]:
        if differences := _differences(dict(first.protocol), dict(one.protocol)):
            raise UserError(
                f"{first.folder} and {one.folder} were measured by different protocols: {'; '.join(differences[:3])}: "
                "evaluate them in the same way"
            )


def _config(folder: str | Path) -> dict[str, Any]:
    import yaml

    from s2tf.runs import CONFIG_FILE

    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: expected the run's folder")
    return yaml.safe_load(path.read_text())


def _bare(tree: Any) -> Any:
    """A config without seeds, and without the files that follow from a seed."""
    if isinstance(tree, Mapping):
        left = {key: value for key, value in tree.items() if key not in SEEDED}
        return {key: _bare(value) for key, value in left.items()}
    return [_bare(one) for one in tree] if isinstance(tree, list) else tree


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
    from torch.utils.flop_counter import FlopCounterMode

    from s2tf.nn.network import load_network

    diffusion: Any = load_network(str(Path(score.folder) / "networks" / "portrait_diffusion"))
    z_p = diffusion.prior.get_buffer("z_p")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        diffusion.weighting.beta(torch.zeros(1, len(z_p)), z_p)
    return replace(score, values={**score.values, "": float(counter.get_total_flops())})
