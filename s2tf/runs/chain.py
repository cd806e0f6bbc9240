"""Steps of a chain: s2tf commands that need each other's results; `s2tf.runs.chain_yaml` has their form in a YAML.

A step's folder is named by a hash of its command and of the experiment that the command composes. Results with other
settings, or of an earlier version of a YAML, stay beside it and are found again when the change is undone.

A step that has ended leaves one of two records in its folder: `done.json`, or `partial.json` where a part of its result
is missing. Its result is partial if its command ended with status 3, "numbers were written, but not all that were
requested", or if the result of a step that it needs is partial or missing. Steps that need a partial result go on
with it, and the next start of the chain tries it again.
"""

import functools
import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.config import EXPERIMENTS, compose, with_old_names
from s2tf.errors import UserError
from s2tf.runs.folder import Run, run_of

RUNS, STEPS = "runs", "steps"
DONE_FILE, PARTIAL_FILE = "done.json", "partial.json"
LOG_FILE, ATTEMPT = "log.txt", "$ s2tf "
"""A step's log on this machine, and the beginning of the line before the output of each attempt."""
PARTIAL_STATUS = 3
"""Exit status of a command that has written results which lack a part of what was requested."""
COMPOSED = ("fit", "prior")
"""Commands whose first words are an experiment and its overrides."""
OUT, NEEDS = "{out}", "{needs}"
EVALUATE_RUN = ["evaluate", "run"]
"""Command that measures the run that its next word names, and writes into that run's folder."""


@dataclass(frozen=True, eq=False)
class Step:
    """One command of a chain, for one seed if it depends on the seed."""

    name: str
    """Name with the seed, such as `conre-seed0`."""
    template: tuple[str, ...]
    """Words of the command, with `{name}` in place of a parent's result, `{out}`, and the word `{needs}`."""
    parents: Mapping[str, "Step"]
    """Name in braces -> the step whose result the command names."""
    out: Path
    """Folder of the chain."""
    others: tuple["Step", ...] = ()
    """Further steps that must be done first."""
    ended: tuple["Step", ...] = ()
    """Steps that must have ended first, however they ended; parents among them may fail, too."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """Settings for a cluster."""
    packaged: bool = False
    """True for a chain found by its short name: the place where s2tf is installed does not change the step's folder."""

    @property
    def required(self) -> list["Step"]:
        """All steps that must have a result first."""
        return [one for one in (*self.parents.values(), *self.others) if one not in self.ended]

    @property
    def needs(self) -> list["Step"]:
        """All steps that must have ended first."""
        return list(dict.fromkeys((*self.required, *self.ended)))

    @property
    def folder(self) -> Path:
        """Folder of this step, named by its name and a hash."""
        return self._folder(self._filled(OUT))

    @property
    def arguments(self) -> list[str]:
        """Words of the command, with the results of the parents and the step's own folder."""
        return self._filled(str(self.folder))

    @property
    def done(self) -> bool:
        """True if exactly this command has run to its end, and nothing is missing from its result."""
        return (self.folder / DONE_FILE).is_file()

    @property
    def partial(self) -> bool:
        """True if exactly this command has run to its end, but a part of its result is missing."""
        folder = self.folder
        return not (folder / DONE_FILE).is_file() and (folder / PARTIAL_FILE).is_file()

    @property
    def run(self) -> Run | None:
        """Run that a `fit` trains, or None for other commands."""
        return self._run(self._filled(OUT))

    @property
    def result(self) -> str:
        """Path that other steps read: known before the step is done, since run folders are named by their config."""
        # The words are filled in once: they need the results of all steps before this one.
        words = self._filled(OUT)
        folder = self._folder(words)
        for path in (folder / DONE_FILE, folder / PARTIAL_FILE):
            if path.is_file():
                return str(json.loads(path.read_text())["result"])
        run = self._run(words)
        return str(folder if run is None else run.folder)

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
        """Return the text of `done.json` or `partial.json`."""
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
        folders = [str(step.folder) for step in self.needs] if NEEDS in self.template else []
        words: list[str] = []
        for word in self.template:
            words += folders if word == NEEDS else [word.format(**results, out=out)]
        return words

    def _folder(self, words: Sequence[str]) -> Path:
        composed = _composed(tuple(words))
        if self.packaged:
            words = [word.replace(f"{EXPERIMENTS}/", f"{EXPERIMENTS.name}/") for word in words]
        identity = f"[{json.dumps(words)}, {composed.text}]"
        return self.out / STEPS / f"{self.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    def _run(self, words: Sequence[str]) -> Run | None:
        config = _composed(tuple(words)).config if words[0] == "fit" else None
        return None if config is None else run_of(words[1], config, self.out / RUNS)


@dataclass(frozen=True)
class _Composed:
    """The experiment of a command."""

    config: dict[str, Any] | None = None
    """None for a command without an experiment."""
    text: str = "null"
    """The experiment as JSON, with the class paths of the first version."""


@functools.cache
def _composed(words: tuple[str, ...]) -> _Composed:
    """Compose the experiment and overrides of a command."""
    if words[0] not in COMPOSED:
        return _Composed()
    overrides = [word for word in words[2:] if ("=" in word or word.startswith("+")) and not word.startswith("--")]
    config = compose(words[1], overrides)
    return _Composed(config, json.dumps(with_old_names(config), sort_keys=True))
