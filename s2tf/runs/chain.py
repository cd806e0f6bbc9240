"""Chains: s2tf commands that need each other's results, run in their order, several at a time.

A chain YAML has `seeds`, `vars` and `steps`, a command line by name:

    steps:
      conre: fit ../conre.yaml vars.shards={shards} seed_everything={seed}
      prior: prior ../prior.yaml vars.conre={conre}/networks --out {out}

`{conre}` is the result of the step of that name: the run folder of a `fit`, else the step's own folder, which it calls
`{out}`. `{seed}` makes a step one for each seed, as it makes those that need it. Words that end in `.yaml` are files
beside the chain's own. A `fit` gets its `--runs`, so that all runs of a chain stand in one folder, which is `{runs}`.

A step may be a mapping, too: `run` is its command line, `after` a list of steps whose results it reads without naming
them, and `job` what it asks of a cluster (`s2tf submit chain`): keys of `slurm/clusters/*.yaml`, and

    parts: 16   divide the command, one that takes `--part I/N`, over the tasks of an array
    gpus: 1     so many GPUs for a command that is no training

A step's folder is named by a hash of its command and of the experiment that this composes: what was done with other
settings, or before a YAML was changed, stays beside it, and is found again when they are changed back.
"""

import fcntl
import functools
import hashlib
import json
import os
import shlex
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.runs.folder import Run, run_of

RUNS, STEPS = "runs", "steps"
DONE_FILE, LOG_FILE, LOCK_FILE = "done.json", "log.txt", "lock"
LOG_LINES = 12
"""Shown of the log of a step that failed."""
COMPOSED = ("fit", "prior")
"""Commands whose first words are an experiment and overrides of it."""
OUT = "{out}"
EVALUATE_RUN = ["evaluate", "run"]
"""Command that measures a run, which its next word names, and writes into its folder."""
STEP_KEYS = ("run", "after", "job")
POLL = 0.2
"""Seconds between looks at the running steps."""


@dataclass(frozen=True)
class Step:
    """One command of a chain, for one seed where it has one."""

    name: str
    """Such as `conre-seed0`."""
    template: tuple[str, ...]
    """The words, with `{name}` where a parent's result goes, and `{out}`."""
    parents: Mapping[str, "Step"]
    """By the name in the braces."""
    out: Path
    """The chain's folder."""

    others: tuple["Step", ...] = ()
    """What must be done before, besides the parents."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """What it asks of a cluster."""

    @property
    def needs(self) -> list["Step"]:
        """All that must be done before."""
        return [*self.parents.values(), *self.others]

    @property
    def folder(self) -> Path:
        """Its own, by name and hash."""
        words = self._filled(OUT)
        identity = json.dumps([words, _composed(tuple(words))], sort_keys=True)
        return self.out / STEPS / f"{self.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    @property
    def arguments(self) -> list[str]:
        """The words with the results of the parents, and with the own folder."""
        return self._filled(str(self.folder))

    @property
    def done(self) -> bool:
        """Whether this very command was run to its end."""
        return (self.folder / DONE_FILE).is_file()

    @property
    def run(self) -> Run | None:
        """The run of a `fit`."""
        words = self._filled(OUT)
        config = _composed(tuple(words)) if words[0] == "fit" else None
        return None if config is None else run_of(words[1], config, self.out / RUNS)

    @property
    def result(self) -> str:
        """What others put in its place: known before it is done, since run folders are named by their config."""
        path = self.folder / DONE_FILE
        if path.is_file():
            return str(json.loads(path.read_text())["result"])
        run = self.run
        return str(self.folder if run is None else run.folder)

    def check(self) -> None:
        """Compose its experiment.

        Raises:
            UserError: a file is missing or an override is wrong; the message names the step.
        """
        try:
            _composed(tuple(self._filled(OUT)))
        except UserError as error:
            raise UserError(f"step {self.name}: {error}") from error

    def start(self, threads: int) -> "subprocess.Popen[bytes]":
        """Begin it in a process of its own, its output in `log.txt`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.undo_others()
        report = ["--json", str(self._report)] if self.template[0] == "fit" else []
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-m", "s2tf.cli", *self.arguments, *report]
        with open(self.folder / LOG_FILE, "a") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def finish(self, status: int) -> None:
        """Note that it is done.

        Raises:
            UserError: its status is not 0; the message ends with its last lines.
        """
        if status:
            last = "\n".join((self.folder / LOG_FILE).read_text().splitlines()[-LOG_LINES:])
            raise UserError(f"failed with status {status}: {self.folder / LOG_FILE}\n{last}")
        result = json.loads(self._report.read_text())["run"] if self.template[0] == "fit" else str(self.folder)
        atomic_write(self.folder / DONE_FILE, self.record(result))

    def record(self, result: str) -> str:
        """The text of `done.json`."""
        return json.dumps({"arguments": self.arguments, "result": result}, indent=2) + "\n"

    def undo_others(self) -> None:
        """Forget steps of this name that have written into the run folder which this one writes into."""
        if self.arguments[:2] != EVALUATE_RUN:
            return
        run = self.arguments[2]
        for path in (self.out / STEPS).glob(f"{self.name}-*/{DONE_FILE}"):
            if run in json.loads(path.read_text())["arguments"]:
                path.unlink()

    @property
    def _report(self) -> Path:
        return self.folder / "fit.json"

    def _filled(self, out: str) -> list[str]:
        results = {name: parent.result for name, parent in self.parents.items()}
        return [word.format(**results, out=out) for word in self.template]


@functools.cache
def _composed(words: tuple[str, ...]) -> dict[str, Any] | None:
    """What a command's experiment and overrides make, where it has any."""
    if words[0] not in COMPOSED:
        return None
    return compose(words[1], _overrides(words))


def _overrides(words: Sequence[str]) -> list[str]:
    return [word for word in words[2:] if ("=" in word or word.startswith("+")) and not word.startswith("--")]


def load_chain(path: Path, settings: Sequence[str], out: Path, seeds: Sequence[int] | None = None) -> list[Step]:
    """The steps of a chain YAML, parents before children; every experiment in it is composed, to find mistakes early.

    Args:
        path: the YAML.
        settings: `key=value` of its `vars`.
        out: the chain's folder.
        seeds: instead of the YAML's.

    Raises:
        UserError: the file is no chain, a variable is unknown or not given, a step needs one that is not there, or its
            experiment does not compose.
    """
    tree = _read(path)
    variables = _variables(path, tree.get("vars") or {}, settings)
    chosen = list(tree.get("seeds", [0]) if seeds is None else seeds)
    steps: dict[tuple[str, int | None], Step] = {}
    for name, text in tree["steps"].items():
        told = _told(path, name, text)
        words, fields = _words(path, name, str(told["run"]))
        seeded = "seed" in fields or any((one, chosen[0]) in steps for one in fields)
        for seed in chosen if seeded else [None]:
            # The words are filled in twice: now, and when the parents' results are known.
            escaped = {key: value.replace("{", "{{").replace("}", "}}") for key, value in variables.items()}
            runs = str(out.resolve() / RUNS)
            known = {**escaped, "seed": str(seed), "out": OUT, "runs": runs}
            parents: dict[str, Step] = {}
            for one in fields:
                if one in known:
                    continue
                parent = steps.get((one, seed)) or steps.get((one, None))
                if parent is None:
                    raise UserError(f"{path}: step {name}: {{{one}}} is no variable and no step before it")
                parents[one] = parent
            own = {parent: f"{{{parent}}}" for parent in parents}
            template = [word.format(**known, **own) for word in words]
            if template[0] == "fit":
                template += ["--runs", runs]
            full = name if seed is None else f"{name}-seed{seed}"
            others = tuple(one for before in told["after"] for one in _before(path, name, before, seed, steps))
            step = Step(full, tuple(template), parents, out.resolve(), others, told["job"])
            step.check()
            steps[name, seed] = step
    return list(steps.values())


def run_steps(
    steps: Sequence[Step], jobs: int, threads: int, report: Callable[[str], None] = lambda text: None
) -> dict[str, str]:
    """Run every step that is not done, each after its parents; a failed one holds up only those that need it.

    Where this process is stopped, the running steps are stopped too.

    Args:
        steps: parents before children.
        jobs: at the same time.
        threads: of each, for its linear algebra.
        report: called with a line at each beginning and end.

    Returns:
        The state of each step by its name: `done`, `failed`, or `waiting` for one that failed.

    Raises:
        UserError: another process runs a chain in the same folder.
    """
    race = _Race(steps, jobs, threads, report)
    with _lock(steps[0].out):
        try:
            race.begin()
            while race.running:
                time.sleep(POLL)
                race.collect()
                race.begin()
        finally:
            race.stop()
    return race.states


class _Race:
    """The steps that run, and the state of all."""

    def __init__(self, steps: Sequence[Step], jobs: int, threads: int, report: Callable[[str], None]) -> None:
        self.steps, self.jobs, self.threads, self.report = steps, jobs, threads, report
        self.states = dict.fromkeys((step.name for step in steps), "waiting")
        self.running: dict[str, tuple[Step, subprocess.Popen[bytes]]] = {}

    def begin(self) -> None:
        """Start what is ready, as far as there is room."""
        for step in self.steps:
            ready = all(self.states[before.name] == "done" for before in step.needs)
            if self.states[step.name] != "waiting" or not ready:
                continue
            if step.done:
                self.states[step.name] = "done"
            elif len(self.running) < self.jobs:
                self.states[step.name] = "running"
                self.report(f"{step.name}: begins ({self._progress()})")
                self.running[step.name] = step, step.start(self.threads)

    def collect(self) -> None:
        """Note what has ended."""
        for name, (step, process) in list(self.running.items()):
            status = process.poll()
            if status is None:
                continue
            del self.running[name]
            try:
                step.finish(status)
            except (UserError, OSError, ValueError, KeyError) as error:
                self.states[name], text = "failed", str(error)
            else:
                self.states[name] = text = "done"
            self.report(f"{name}: {text} ({self._progress()})")

    def stop(self) -> None:
        """Stop what still runs."""
        for _, process in self.running.values():
            process.terminate()
        for _, process in self.running.values():
            process.wait()

    def _progress(self) -> str:
        counts = {state: sum(one == state for one in self.states.values()) for state in ("done", "failed")}
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        return f"{counts['done']} of {len(self.states)} done{failed}"


@contextmanager
def _lock(out: Path) -> Iterator[None]:
    out.mkdir(parents=True, exist_ok=True)
    file: IO[str]
    with open(out / LOCK_FILE, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{out}: another chain is running in this folder") from error
        yield


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such chain")
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not a readable YAML file: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("steps"), dict) or not tree["steps"]:
        raise UserError(f"{path}: no chain: expected `steps`, a command line by name")
    unknown = sorted(set(tree) - {"seeds", "vars", "steps"})
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected seeds, vars and steps")
    seeds = tree.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{path}: seeds is {seeds!r}, expected a list of numbers")
    return tree


def _told(path: Path, step: str, text: Any) -> dict[str, Any]:
    """What the YAML says about a step: a command line, or a mapping with one."""
    told = text if isinstance(text, dict) else {"run": text}
    unknown = sorted(set(told) - set(STEP_KEYS))
    if unknown or "run" not in told:
        wrong = f"unknown key {unknown[0]!r}" if unknown else "no command line"
        raise UserError(f"{path}: step {step}: {wrong}, expected `run`, and perhaps `after` and `job`")
    return {"run": told["run"], "after": told.get("after") or [], "job": told.get("job") or {}}


def _before(
    path: Path, step: str, before: str, seed: int | None, steps: Mapping[tuple[str, int | None], Step]
) -> list[Step]:
    """The steps that `after` means by a name: of this seed, of no seed, or of all seeds."""
    found = [steps[key] for key in ((before, seed), (before, None)) if key in steps][:1]
    found = found or [one for (name, _), one in steps.items() if name == before]
    if not found:
        raise UserError(f"{path}: step {step}: after: {before!r} is no step before it")
    return found


def _words(path: Path, step: str, line: str) -> tuple[list[str], list[str]]:
    """The words of a step, and what stands in braces in them."""
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
    """A word that names a file beside the chain, from here; others as they are."""
    if not word.endswith(".yaml") or "=" in word or "{" in word:
        return word
    plus = "+" if word.startswith("+") else ""
    return f"{plus}{os.path.normpath(folder / word[len(plus) :])}"
