"""Reads and checks sweeps in W&B's form, and expands them into the points of a grid if no server chooses points."""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.config import NOT_IDENTITY, clear_values, find_experiment, named_experiment, read_yaml
from s2tf.errors import UserError
from s2tf.runs.folder import Run, find_run

FIT = ["s2tf", "fit"]
TRIAL = "trial.sh"
"""Script of slurm/ with which a sweep's command begins."""
MACRO = "${args_no_hyphens}"
"""Word that W&B replaces by the `key=value` of each parameter."""
VALUES = ("value", "values", "min", "max", "mu", "distribution", "sigma", "q", "probabilities", "parameters")


@dataclass(frozen=True)
class Sweep:
    """A sweep file, whose command begins with `srun s2tf fit`."""

    path: Path
    config: Mapping[str, Any]
    """Config in W&B's form."""
    words: list[str]
    """Words of the command between `fit` and the parameters."""
    overrides: list[str]
    """Overrides of every point; they come last and win over the parameters and over the files of a point."""

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameters by their names, in W&B's form."""
        return self.config["parameters"]

    @property
    def name(self) -> str:
        """Name of the file with a hash of the settings, such as `prior_weighting-1a2b3c4d`."""
        text = json.dumps([self.config, self.overrides], sort_keys=True)
        return f"{self.path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def grid(self) -> list[list[str]]:
        """List the points: every combination of the parameters' values, as `key=value`.

        Raises:
            UserError: A parameter has no list of values.
        """
        choices = []
        for name, spec in self.parameters.items():
            if "value" not in spec and "values" not in spec:
                raise UserError(
                    f"{self.path}: parameters.{name} has neither `value` nor `values`, expected one of them for a "
                    "grid: without a list, only W&B can choose values"
                )
            choices.append([f"{name}={_text(value)}" for value in spec.get("values", [spec.get("value")])])
        return [list(point) for point in itertools.product(*choices)]

    def example(self) -> list[str]:
        """Choose one point, to check everything that the points have in common."""
        return [f"{name}={_text(_first(spec))}" for name, spec in self.parameters.items()]

    def command(self, trial: Path, runs: Path) -> list[str]:
        """Return the command that W&B's agents run: the script `trial` with the training and its parameters.

        The agent's job determines the launcher, since the sweep stores this command for the jobs of all clusters.

        Args:
            trial: A copy of slurm/trial.sh.
            runs: Folder of run folders.
        """
        return ["bash", str(trial), *FIT, *self.words, MACRO, *self.overrides, "--runs", str(runs.resolve())]

    def run(self, point: Sequence[str], runs: Path) -> Run:
        """Compose the run of a point.

        Raises:
            UserError: The experiment does not compose.
        """
        experiment, overrides = named_experiment([*self.words, *point, *self.overrides])
        return find_run(experiment, overrides, runs)


def is_ours(command: Sequence[str]) -> bool:
    """Return True if a sweep's command comes from `Sweep.command`."""
    words = [str(word) for word in command]
    return len(words) > 3 and words[0] == "bash" and Path(words[1]).name == TRIAL and words[2:4] == FIT


def load_sweep(path: Path, overrides: Sequence[str] = ()) -> Sweep:
    """Read a sweep file.

    Args:
        path: The file, or its short name, such as `sweeps/prior_weighting.yaml`.
        overrides: Overrides of every point.

    Raises:
        UserError: The file does not exist, or is no sweep of `s2tf fit`; the message names the key.
    """
    # The file.
    path = find_experiment(path, "sweep")
    tree = clear_values(read_yaml(path))
    if not isinstance(tree, dict) or not isinstance(tree.get("parameters"), dict) or "method" not in tree:
        raise UserError(f"{path} is no W&B sweep, expected `method`, `command` and `parameters`")
    # Its parameters, and its command.
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
    """Refuse several values of a key that does not change the identity of a run (`NOT_IDENTITY`)."""
    same = any(name == key or name.startswith(f"{key}.") for key in NOT_IDENTITY)
    if same and "value" not in spec and len(spec.get("values") or ()) != 1:
        raise UserError(
            f"{where}: results do not depend on this key, so all its values would be the same run in one folder. "
            f"Expected one `value`, or an `s2tf submit run ... {name}=VALUE --runs FOLDER` for each"
        )


def _first(spec: Mapping[str, Any]) -> Any:
    if "value" in spec:
        return spec["value"]
    if spec.get("values"):
        return spec["values"][0]
    return spec.get("min", spec.get("mu", 1))


def _text(value: Any) -> str:
    """Format a value as W&B's agent gives it to `s2tf fit`: its `str`, and YAML's null for None (see trial.sh)."""
    return "null" if value is None else str(value)
