"""Chains: steps of s2tf commands that need each other's results, run in their order, several at a time.

A chain YAML has `seeds`, `vars` and `steps`, a command line by name:

    steps:
      conre: fit ../conre.yaml vars.shards={shards} seed_everything={seed}
      prior: prior ../prior.yaml vars.conre={conre}/networks --out {out}

`{conre}` is the result of the step of that name: the run folder of a `fit`, else the step's own folder, which it calls
`{out}`. `{seed}` makes a step one for each seed, as it makes those that need it. Words that end in `.yaml` are files
beside the chain's own. A `fit` gets its `--runs`, so that all runs of a chain stand in one folder.
"""

import json
import os
import shlex
import string
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import yaml

from s2tf.errors import UserError

RUNS = "runs"
DONE_FILE = "done.json"
LOG_FILE = "log.txt"
LOG_LINES = 12
"""Shown of the log of a step that failed."""


@dataclass(frozen=True)
class Step:
    """One command of a chain, for one seed where it has one."""

    name: str
    """Such as `conre-seed0`."""
    template: tuple[str, ...]
    """The words, with `{name}` where a parent's result goes."""
    parents: Mapping[str, "Step"]
    """By the name in the braces."""
    folder: Path

    @property
    def arguments(self) -> list[str]:
        """The words with the results of the parents; `{name}` stays where the parent is not done."""
        results = {name: parent.result_or_none() or f"{{{parent.name}}}" for name, parent in self.parents.items()}
        return [word.format(**results) for word in self.template]

    @property
    def done(self) -> bool:
        """Whether this very command was run to its end."""
        path = self.folder / DONE_FILE
        if not path.is_file() or not all(parent.done for parent in self.parents.values()):
            return False
        return json.loads(path.read_text())["arguments"] == self.arguments

    def result_or_none(self) -> str | None:
        """What others put in its place, once it is known."""
        if self.template[0] != "fit":
            return str(self.folder)
        path = self.folder / DONE_FILE
        return str(json.loads(path.read_text())["result"]) if path.is_file() else None

    def run(self, threads: int) -> None:
        """Run it in a process of its own, its output in `log.txt`.

        Raises:
            UserError: it failed; the message ends with its last lines.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / DONE_FILE).unlink(missing_ok=True)
        arguments, report = self.arguments, self.folder / "fit.json"
        fits = self.template[0] == "fit"
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        with open(self.folder / LOG_FILE, "a") as log:
            command = [sys.executable, "-m", "s2tf.cli", *arguments, *(["--json", str(report)] if fits else [])]
            status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False)
        if status.returncode:
            last = "\n".join((self.folder / LOG_FILE).read_text().splitlines()[-LOG_LINES:])
            raise UserError(f"{self.name} failed with status {status.returncode}: {self.folder / LOG_FILE}\n{last}")
        result = json.loads(report.read_text())["run"] if fits else str(self.folder)
        record = {"arguments": arguments, "result": result}
        (self.folder / DONE_FILE).write_text(json.dumps(record, indent=2) + "\n")


def load_chain(path: Path, settings: Sequence[str], out: Path, seeds: Sequence[int] | None = None) -> list[Step]:
    """The steps of a chain YAML, parents before children.

    Args:
        path: the YAML.
        settings: `key=value` of its `vars`.
        out: the chain's folder.
        seeds: instead of the YAML's.

    Raises:
        UserError: the file is no chain, a variable is unknown or not given, or a step needs one that is not there.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such chain")
    tree = yaml.safe_load(path.read_text())
    if not isinstance(tree, dict) or not isinstance(tree.get("steps"), dict):
        raise UserError(f"{path}: no chain: expected `steps`, a command line by name")
    unknown = sorted(set(tree) - {"seeds", "vars", "steps"})
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected seeds, vars and steps")
    variables = _variables(path, tree.get("vars") or {}, settings)
    steps: dict[tuple[str, int | None], Step] = {}
    for name, line in tree["steps"].items():
        words = [_located(word, path.parent) for word in shlex.split(str(line))]
        fields = [field for word in words for _, field, _, _ in string.Formatter().parse(word) if field is not None]
        chosen = list(tree.get("seeds", [0]) if seeds is None else seeds)
        seeded = "seed" in fields or any((field, chosen[0]) in steps for field in fields)
        for seed in chosen if seeded else [None]:
            folder = out / "steps" / (name if seed is None else f"{name}-seed{seed}")
            parents: dict[str, Step] = {}
            known = {**variables, "seed": str(seed), "out": str(folder)}
            for field in fields:
                if field in known:
                    continue
                parent = steps.get((field, seed)) or steps.get((field, None))
                if parent is None:
                    raise UserError(f"{path}: step {name}: {{{field}}} is no variable and no step before it")
                parents[field] = parent
            own = {parent: f"{{{parent}}}" for parent in parents}
            template = [word.format(**known, **own) for word in words]
            if template[0] == "fit":
                template += ["--runs", str(out / RUNS)]
            steps[name, seed] = Step(folder.name, tuple(template), parents, folder)
    return list(steps.values())


def run_steps(
    steps: Sequence[Step], jobs: int, threads: int, report: Callable[[str], None] = lambda text: None
) -> dict[str, str]:
    """Run every step that is not done, each after its parents; a failed one holds up only those that need it.

    Args:
        steps: parents before children.
        jobs: at the same time.
        threads: of each, for its linear algebra.
        report: called with a line at each beginning and end.

    Returns:
        The state of each step by its name: `done`, `failed`, or `waiting` for one that failed.
    """
    states = {step.name: "done" if step.done else "waiting" for step in steps}
    running: dict[Future[None], Step] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            for step in steps:
                ready = all(states[parent.name] == "done" for parent in step.parents.values())
                if states[step.name] == "waiting" and ready and len(running) < jobs:
                    states[step.name] = "running"
                    report(f"{step.name}: begins ({_progress(states)})")
                    running[pool.submit(step.run, threads)] = step
            if not running:
                return states
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                error = future.exception()
                states[step.name] = "failed" if error else "done"
                report(f"{step.name}: {error or 'done'} ({_progress(states)})")


def _progress(states: Mapping[str, str]) -> str:
    counts = {state: sum(one == state for one in states.values()) for state in ("done", "failed")}
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"{counts['done']} of {len(states)} done{failed}"


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
    plus = "+" if word.startswith("+") else ""
    return (
        f"{plus}{os.path.normpath(folder / word[len(plus) :])}" if word.endswith(".yaml") and "=" not in word else word
    )
