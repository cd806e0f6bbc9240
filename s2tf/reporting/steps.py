"""Ends of a chain's steps, for the page: steps without a whole result, and recordings that were left out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.reporting.write_html import Section
from s2tf.runs.chain import ATTEMPT, DONE_FILE, LOG_FILE, PARTIAL_FILE
from s2tf.tables.read_table import read_table

LEDGERS = ("absent.csv", "failures.csv")
"""Tables of the recordings that a step has left out, with the columns `clip`, `step` and `reason`."""
REASON = re.compile(r"(failed|not computed|warning): ")
"""Beginning of a line of an evaluation's output that says what its numbers lack."""
SKIPPED = re.compile(r"skipped broken sample \d+ of at most \d+: (.*)")
"""Line of a log about a damaged clip that a training has passed over."""
EXAMPLES = 5
"""Number of lines that are shown of each kind."""


@dataclass(frozen=True)
class StepEnd:
    """The end of one step."""

    name: str
    state: str
    """`done`, `partial`, `failed`, or `not run` if a step that it needs has failed."""
    reasons: Sequence[str] = ()
    """Reasons why a part is missing, and recordings that were left out."""

    @property
    def lacks(self) -> bool:
        """True if there is something to say about it."""
        return self.state != "done" or bool(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"state": self.state, "reasons": list(self.reasons)}


def read_step(folder: Path) -> StepEnd:
    """Read a step's end from its folder: its record, its log, and the recordings that it has left out."""
    name = folder.name.rpartition("-")[0]
    log = _last_log(folder)
    skipped = list(dict.fromkeys(found[1] for line in log if (found := SKIPPED.search(line))))
    left_out = [one for ledger in LEDGERS for one in _left_out(folder / ledger)]
    left_out += [f"{len(skipped)} damaged, passed over: {'; '.join(_first(skipped))}"] if skipped else []
    if (folder / DONE_FILE).is_file():
        return StepEnd(name, "done", left_out)
    if (folder / PARTIAL_FILE).is_file():
        kinds: dict[str, list[str]] = {}
        for line in log:
            if found := REASON.match(line):
                kinds.setdefault(found[1], []).append(line)
        reasons = [line for lines in kinds.values() for line in _first(lines)]
        return StepEnd(name, "partial", [*(reasons or ["a step that it needs has no whole result"]), *left_out])
    if not log:
        return StepEnd(name, "not run", ["a step that it needs has failed"])
    return StepEnd(name, "failed", [log[-1]])


def steps_sections(ends: Sequence[StepEnd]) -> list[Section]:
    """Write the section of steps that lack something, if there are any."""
    lacking = [end for end in ends if end.lacks]
    if not lacking:
        return []
    items = []
    for end in lacking:
        reasons = "".join(f"<li>{escape(text)}</li>" for text in end.reasons)
        items.append(f"<li>{escape(end.name)}: {end.state}<ul>{reasons}</ul></li>")
    title = "Steps that lack a part, and recordings that were left out"
    return [Section("steps", title, f'<ul class="notes">{"".join(items)}</ul>')]


def _last_log(folder: Path) -> list[str]:
    """Return the lines of a step's last attempt, on this machine or as a job; empty if it has not begun."""
    logs = sorted(folder.glob("slurm-*.out"), key=lambda path: path.stat().st_mtime)
    if (folder / LOG_FILE).is_file():
        logs = [folder / LOG_FILE, *logs] if logs else [folder / LOG_FILE]
    if not logs:
        return []
    lines = [line for line in logs[-1].read_text(errors="replace").splitlines() if line.strip()]
    begun = max((number for number, line in enumerate(lines) if line.startswith(ATTEMPT)), default=-1)
    return lines[begun + 1 :] or ["it has not ended"]


def _left_out(path: Path) -> Iterator[str]:
    """Yield the number of recordings that were left out at each step of a preparation, with examples."""
    if not path.is_file():
        return
    try:
        rows = [row.cells for row in read_table(path, ("clip", "step", "reason"))]
    except (UserError, ValueError):
        # A table without rows.
        return
    for step in dict.fromkeys(row["step"] for row in rows):
        own = [f"{row['clip']}: {row['reason']}" for row in rows if row["step"] == step]
        yield f"{len(own)} left out, {step}: {'; '.join(_first(own))}"


def _first(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - EXAMPLES} more"] if len(lines) > EXAMPLES else []
    return [*lines[:EXAMPLES], *more]
