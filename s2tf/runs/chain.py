"""Chains: s2tf commands that need each other's results, read as steps from a YAML.

A chain YAML has `seeds`, `vars` and `steps`, a command line by name:

    steps:
      conre: fit ../conre.yaml vars.shards={shards} seed_everything={seed}
      prior: prior ../prior.yaml vars.conre={conre}/networks --out {out}

`{conre}` is the result of the step of that name: the run folder of a `fit`, else the step's own folder, which is
`{out}` in its own command line. A step with `{seed}` runs once for each seed, and so do the steps that need it.
Words that end in `.yaml` are files beside the chain's own, or short names of experiments. Every `fit` gets the same
`--runs`, so that all runs of a chain are in one folder, which is `{runs}`.

A step may also be a mapping: `run` is its command line, `after` a list of steps whose results it reads without naming
them, and `job` its settings for a cluster (`s2tf submit chain`): keys of `slurm/clusters/*.yaml`, and

    parts: 16   divide a command with the option `--part I/N` among the tasks of an array
    gpus: 1     number of GPUs for a command that is no training

A step's folder is named by a hash of its command and of the experiment that the command composes. Results with other
settings, or of an earlier version of a YAML, stay beside it and are found again when the change is undone.
"""

import functools
import glob
import hashlib
import json
import os
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.config import EXPERIMENTS, clear_values, compose, find_experiment, read_yaml, with_old_names
from s2tf.errors import UserError
from s2tf.runs.folder import Run, run_of

RUNS, STEPS = "runs", "steps"
DONE_FILE = "done.json"
COMPOSED = ("fit", "prior")
"""Commands whose first words are an experiment and its overrides."""
OUT = "{out}"
EVALUATE_RUN = ["evaluate", "run"]
"""Command that measures the run that its next word names, and writes into that run's folder."""
STEP_KEYS = ("run", "after", "job")


@dataclass(frozen=True)
class Step:
    """One command of a chain, for one seed if it depends on the seed."""

    name: str
    """Name with the seed, such as `conre-seed0`."""
    template: tuple[str, ...]
    """Words of the command, with `{name}` in place of a parent's result, and `{out}`."""
    parents: Mapping[str, "Step"]
    """Name in braces -> the step whose result the command names."""
    out: Path
    """Folder of the chain."""
    others: tuple["Step", ...] = ()
    """Further steps that must be done first."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """Settings for a cluster."""
    packaged: bool = False
    """True for a chain found by its short name: the place where s2tf is installed does not change the step's folder."""

    @property
    def needs(self) -> list["Step"]:
        """All steps that must be done first."""
        return [*self.parents.values(), *self.others]

    @property
    def folder(self) -> Path:
        """Folder of this step, named by its name and a hash."""
        words = self._filled(OUT)
        config = _composed(tuple(words))
        if self.packaged:
            words = [word.replace(f"{EXPERIMENTS}/", f"{EXPERIMENTS.name}/") for word in words]
        identity = json.dumps([words, config if config is None else with_old_names(config)], sort_keys=True)
        return self.out / STEPS / f"{self.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    @property
    def arguments(self) -> list[str]:
        """Words of the command, with the results of the parents and the step's own folder."""
        return self._filled(str(self.folder))

    @property
    def done(self) -> bool:
        """True if exactly this command has run to its end."""
        return (self.folder / DONE_FILE).is_file()

    @property
    def run(self) -> Run | None:
        """Run that a `fit` trains, or None for other commands."""
        words = self._filled(OUT)
        config = _composed(tuple(words)) if words[0] == "fit" else None
        return None if config is None else run_of(words[1], config, self.out / RUNS)

    @property
    def result(self) -> str:
        """Path that other steps read: known before the step is done, since run folders are named by their config."""
        path = self.folder / DONE_FILE
        if path.is_file():
            return str(json.loads(path.read_text())["result"])
        run = self.run
        return str(self.folder if run is None else run.folder)

    def check(self) -> None:
        """Compose the step's experiment.

        Raises:
            UserError: A file is missing or an override is wrong; the message names the step.
        """
        try:
            _composed(tuple(self._filled(OUT)))
        except UserError as error:
            raise UserError(f"step {self.name}: {error}") from error

    def record(self, result: str) -> str:
        """Return the text of `done.json`."""
        return json.dumps({"arguments": self.arguments, "result": result}, indent=2) + "\n"

    def forget_replaced(self) -> None:
        """Mark as not done earlier steps of this name with the same run folder: this step replaces their results."""
        if self.arguments[:2] != EVALUATE_RUN or len(self.arguments) == 2:
            return
        run = self.arguments[2]
        for path in (self.out / STEPS).glob(f"{glob.escape(self.name)}-*/{DONE_FILE}"):
            if run in json.loads(path.read_text())["arguments"]:
                path.unlink()

    def _filled(self, out: str) -> list[str]:
        results = {name: parent.result for name, parent in self.parents.items()}
        return [word.format(**results, out=out) for word in self.template]


@functools.cache
def _composed(words: tuple[str, ...]) -> dict[str, Any] | None:
    """Compose the experiment and overrides of a command, or return None for a command without an experiment."""
    if words[0] not in COMPOSED:
        return None
    return compose(words[1], _overrides(words))


def _overrides(words: Sequence[str]) -> list[str]:
    return [word for word in words[2:] if ("=" in word or word.startswith("+")) and not word.startswith("--")]


def load_chain(path: Path, settings: Sequence[str], out: Path, seeds: Sequence[int] | None = None) -> list[Step]:
    """Read the steps of a chain YAML, parents before children, and compose every experiment to find mistakes early.

    Args:
        path: The YAML, or its short name, such as `chains/portraits.yaml`.
        settings: `key=value` for its `vars`.
        out: Folder of the chain.
        seeds: Seeds instead of the YAML's.

    Raises:
        UserError: The file is no chain, a variable is unknown or not given, a step needs a step that does not exist, or
            an experiment does not compose.
    """
    found = find_experiment(path, "chain")
    packaged, path = found != path, found
    tree = _read(path)
    variables = _variables(path, tree.get("vars") or {}, settings)
    chosen = list(tree.get("seeds", [0]) if seeds is None else seeds)
    chain = _Chain(path, variables, out.resolve(), packaged)
    for name, text in tree["steps"].items():
        chain.add(name, text, chosen)
    return list(chain.steps.values())


@dataclass(frozen=True)
class _Chain:
    """The steps of a chain while it is read."""

    path: Path
    variables: Mapping[str, str]
    out: Path
    packaged: bool
    steps: dict[tuple[str, int | None], Step] = field(default_factory=dict)
    """Name and seed -> step; the seed is None for a step without a seed."""

    def add(self, name: str, entry: Any, seeds: Sequence[int]) -> None:
        """Add the step of an entry in the YAML, once for each seed if it depends on the seed."""
        options = _step_options(self.path, name, entry)
        words, fields = _words(self.path, name, str(options["run"]))
        seeded = "seed" in fields or any((one, seeds[0]) in self.steps for one in fields)
        for seed in seeds if seeded else [None]:
            others = [one for before in options["after"] for one in self._before(name, before, seed)]
            step = Step(
                name if seed is None else f"{name}-seed{seed}",
                *self._template(name, words, fields, seed),
                self.out,
                tuple(others),
                options["job"],
                self.packaged,
            )
            step.check()
            self.steps[name, seed] = step

    def _template(
        self, step: str, words: Sequence[str], fields: Sequence[str], seed: int | None
    ) -> tuple[tuple[str, ...], dict[str, Step]]:
        """Fill in variables, and return the words and the parents; the parents' results stay as `{name}` for now."""
        # The words are formatted twice: now, and when the parents' results are known.
        escaped = {key: value.replace("{", "{{").replace("}", "}}") for key, value in self.variables.items()}
        runs = str(self.out / RUNS)
        known = {**escaped, "seed": str(seed), "out": OUT, "runs": runs}
        # Every other name in braces is a step: the step of the same seed, or a step without a seed.
        parents: dict[str, Step] = {}
        for one in fields:
            if one in known:
                continue
            parent = self.steps.get((one, seed)) or self.steps.get((one, None))
            if parent is None:
                raise UserError(f"{self.path}: step {step}: {{{one}}} is neither a variable nor an earlier step")
            parents[one] = parent
        template = [word.format(**known, **{parent: f"{{{parent}}}" for parent in parents}) for word in words]
        return (*template, *(["--runs", runs] if template[0] == "fit" else [])), parents

    def _before(self, step: str, before: str, seed: int | None) -> list[Step]:
        """Find the steps that `after` names: the step of this seed, the step without a seed, or those of all seeds."""
        found = [self.steps[key] for key in ((before, seed), (before, None)) if key in self.steps][:1]
        found = found or [one for (name, _), one in self.steps.items() if name == before]
        if not found:
            raise UserError(f"{self.path}: step {step}: after: {before!r} is no earlier step")
        return found


def _read(path: Path) -> dict[str, Any]:
    tree = clear_values(read_yaml(path))
    if not isinstance(tree, dict) or not isinstance(tree.get("steps"), dict) or not tree["steps"]:
        raise UserError(f"{path} is no chain, expected `steps` with a command line for each name")
    unknown = sorted(set(tree) - {"seeds", "vars", "steps"})
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected seeds, vars and steps")
    seeds = tree.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{path}: seeds is {seeds!r}, expected a list of numbers")
    return tree


def _step_options(path: Path, step: str, entry: Any) -> dict[str, Any]:
    """Read an entry of the YAML, a command line or a mapping with one; returns its `run`, `after` and `job`."""
    options = entry if isinstance(entry, dict) else {"run": entry}
    unknown = sorted(set(options) - set(STEP_KEYS))
    if unknown or "run" not in options:
        wrong = f"unknown key {unknown[0]!r}" if unknown else "no command line"
        raise UserError(f"{path}: step {step}: {wrong}, expected `run`, optionally `after` and `job`")
    return {"run": options["run"], "after": options.get("after") or [], "job": options.get("job") or {}}


def _words(path: Path, step: str, line: str) -> tuple[list[str], list[str]]:
    """Split a command line into words; returns the words and the names in braces."""
    try:
        words = [_located(word, path.parent) for word in shlex.split(line)]
        parts = [part for word in words for part in string.Formatter().parse(word)]
    except ValueError as error:
        raise UserError(f"{path}: step {step}: {error}: {line}") from error
    return words, [field for _, field, _, _ in parts if field is not None]


def _variables(path: Path, variables: Mapping[str, object], settings: Sequence[str]) -> dict[str, str]:
    values = {name: str(value) for name, value in variables.items()}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in values:
            raise UserError(f"{path}: {setting!r}: expected key=value with a key of: {', '.join(values) or 'none'}")
        values[name] = value
    missing = [name for name, value in values.items() if value == "???"]
    if missing:
        raise UserError(f"{path}: vars.{missing[0]} must be given (it is `???`): add {missing[0]}=VALUE to the command")
    return values


def _located(word: str, folder: Path) -> str:
    """Turn a word that names a file beside the chain into a path from the working folder; other words do not change."""
    if not word.endswith(".yaml") or "=" in word or "{" in word:
        return word
    plus = "+" if word.startswith("+") else ""
    path = os.path.normpath(folder / word[len(plus) :])
    return word if not os.path.isfile(path) and (EXPERIMENTS / word[len(plus) :]).is_file() else f"{plus}{path}"
