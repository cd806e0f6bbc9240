"""Sweeps in W&B's own form: read, checked, and expanded into points where no server is to draw them."""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s2tf.config import NOT_IDENTITY, find_experiment, named_experiment
from s2tf.errors import UserError
from s2tf.runs.folder import Run, find_run

FIT = ["s2tf", "fit"]
TRIAL = "trial.sh"
"""Of slurm/, what a sweep's command begins with."""
MACRO = "${args_no_hyphens}"
"""W&B puts `key=value` of each parameter in its place."""
VALUES = ("value", "values", "min", "max", "mu", "distribution", "sigma", "q", "probabilities", "parameters")


@dataclass(frozen=True)
class Sweep:
    """A sweep file, whose command begins with `srun s2tf fit`."""

    path: Path
    config: Mapping[str, Any]
    """As W&B takes it."""
    words: list[str]
    """Of the command, between `fit` and the parameters."""
    overrides: list[str]
    """Behind the parameters, of every point: they have the last word, and may set what a point brings along."""

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By their names, as W&B's form has them."""
        return self.config["parameters"]

    @property
    def name(self) -> str:
        """Such as `prior_weighting-1a2b3c4d`: another one for other settings."""
        text = json.dumps([self.config, self.overrides], sort_keys=True)
        return f"{self.path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def grid(self) -> list[list[str]]:
        """The points: every combination of the parameters' values, as `key=value`.

        Raises:
            UserError: a parameter has no list of values.
        """
        choices = []
        for name, spec in self.parameters.items():
            if "value" not in spec and "values" not in spec:
                raise UserError(
                    f"{self.path}: parameters.{name} has neither `value` nor `values`: only these make a grid, others "
                    "are drawn by W&B"
                )
            choices.append([f"{name}={_text(value)}" for value in spec.get("values", [spec.get("value")])])
        return [list(point) for point in itertools.product(*choices)]

    def example(self) -> list[str]:
        """One point of any sweep, to check what every point has in common."""
        return [f"{name}={_text(_first(spec))}" for name, spec in self.parameters.items()]

    def command(self, trial: Path, runs: Path) -> list[str]:
        """What W&B's agent is to run: the script `trial` with the training and its parameters.

        How it is launched is for the job to say that runs it: a sweep keeps this command, whatever cluster joins it.

        Args:
            trial: a copy of slurm/trial.sh.
            runs: where run folders are made.
        """
        return ["bash", str(trial), *FIT, *self.words, MACRO, *self.overrides, "--runs", str(runs.resolve())]

    def run(self, point: Sequence[str], runs: Path) -> Run:
        """The run of a point.

        Raises:
            UserError: it does not compose.
        """
        experiment, overrides = named_experiment([*self.words, *point, *self.overrides])
        return find_run(experiment, overrides, runs)


def is_ours(command: Sequence[str]) -> bool:
    """Whether a sweep's command is one of `Sweep.command`."""
    words = [str(word) for word in command]
    return len(words) > 3 and words[0] == "bash" and Path(words[1]).name == TRIAL and words[2:4] == FIT


def load_sweep(path: Path, overrides: Sequence[str] = ()) -> Sweep:
    """Read a sweep file; `overrides` join every point.

    Raises:
        UserError: it is no sweep of `s2tf fit`; the message names the key.
    """
    path = find_experiment(path, "sweep")
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not a readable YAML file: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("parameters"), dict) or "method" not in tree:
        raise UserError(f"{path}: no sweep of W&B: expected `method`, `command` and `parameters`")
    for name, spec in tree["parameters"].items():
        wrong = sorted(set(spec) - set(VALUES)) if isinstance(spec, dict) else [str(spec)]
        if wrong or "parameters" in spec:
            raise UserError(
                f"{path}: parameters.{name}: {wrong[0] if wrong else 'parameters'!r}: expected W&B's form, such as "
                "{values: [1, 2]}; a name with dots is a key of the experiment"
            )
        _refuse_circumstances(f"{path}: parameters.{name}", name, spec)
    words = [str(word) for word in tree.get("command") or ["srun", *FIT, MACRO]]
    if words[:3] != ["srun", *FIT] or words[-1] != MACRO:
        raise UserError(f"{path}: command is {words}, expected [srun, s2tf, fit, ..., '{MACRO}']")
    return Sweep(path, tree, words[3:-1], list(overrides))


def _refuse_circumstances(where: str, name: str, spec: Mapping[str, Any]) -> None:
    """Refuse several values of what says only where and how fast a run is computed."""
    same = any(name == key or name.startswith(f"{key}.") for key in NOT_IDENTITY)
    if same and "value" not in spec and len(spec.get("values") or ()) != 1:
        raise UserError(
            f"{where}: it does not make another run, since results do not depend on it: all its values would train in "
            f"one folder. Expected one `value`, or an `s2tf submit run ... {name}=VALUE --runs FOLDER` for each"
        )


def _first(spec: Mapping[str, Any]) -> Any:
    if "value" in spec:
        return spec["value"]
    if spec.get("values"):
        return spec["values"][0]
    return spec.get("min", spec.get("mu", 1))


def _text(value: Any) -> str:
    """As it arrives at `s2tf fit` from W&B's agent: its `str`, but for None, of which trial.sh makes YAML's null."""
    return "null" if value is None else str(value)
