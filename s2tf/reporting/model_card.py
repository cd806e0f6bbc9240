"""Model card of a pipeline: data, training, networks and measurements, each read from files and none typed."""

import json
import os
import platform
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2tf.errors import UserError
from s2tf.evaluation.score_table import significant
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.nn.network import WEIGHTS_FILE, Network
from s2tf.pipelines.index import read_index
from s2tf.runs.training_record import TrainingRecord, training_record
from s2tf.systems.registry import find_pipeline

CARD_FILE = "MODEL_CARD.md"
TEMPLATE = Path(__file__).with_suffix(".md")
KINDS = {"speakers": "Portraits and videos of unseen speakers, from their speech alone"}
"""Kind of an evaluation -> heading of its numbers; others stand under the name of what was measured."""
COMMIT_DIGITS = 12
CPU_INFO = Path("/proc/cpuinfo")
CONTROLS = ("PSNR, ", "sharpness, ")
"""Beginnings of the names of the codebook's controls, of which the card has only the summary."""


@dataclass(frozen=True)
class CardSources:
    """Places from which a card is filled."""

    pipeline: Path
    runs: Sequence[Path] = ()
    """Finished runs of its stages, in the order of training."""
    scores: Sequence[Path] = ()
    """Files or folders of evaluations."""
    template: Path = TEMPLATE
    """Markdown with `$summary`, `$data`, `$training`, `$networks` and `$measurements`."""


def write_card(sources: CardSources) -> Path:
    """Write `MODEL_CARD.md` into the pipeline folder; a number that was not measured is not in it.

    Raises:
        UserError: A folder is no pipeline, no finished run or no evaluation, or the template has an unknown name.
        FileNotFoundError: A network's file is absent.
    """
    system, kind = find_pipeline(sources.pipeline)
    records = [training_record(run) for run in sources.runs]
    values = {
        "summary": f"A `{kind.name}` of the system `{system.name}`{_settings(read_index(sources.pipeline))}.",
        "data": _data(records),
        "training": _training(records),
        "networks": _networks(sources.pipeline),
        "measurements": "\n\n".join(_measured(path) for path in sources.scores) or "None.",
    }
    try:
        text = string.Template(sources.template.read_text(encoding="utf-8")).substitute(values)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${name}" for name in values)
        raise UserError(f"{sources.template}: unknown name or a single $: {error}, expected {known}") from error
    path = sources.pipeline / CARD_FILE
    path.write_text(text, encoding="utf-8")
    return path


def _settings(index: Mapping[str, Any]) -> str:
    """Say how it samples, in the words of its stored settings."""
    words = {"portrait_settings": "portraits", "talking_settings": "motion"}
    parts = [
        f"{words.get(section, section)} in {one['steps']} steps at temperature {one['temperature']:g}"
        for section, one in index["settings"].items()
        if {"steps", "temperature"} <= set(one)
    ]
    return f", which samples {' and '.join(parts)}" if parts else ""


def _data(records: Sequence[TrainingRecord]) -> str:
    """Count the clips of each run's data; runs on copies of the same clips are one row."""
    rows: dict[tuple[str, ...], None] = {}
    for record in records:
        for name, split in record.splits.items():
            seconds = f"{split['seconds'] / split['clips']:.1f}" if split["clips"] else ""
            genders = ", ".join(f"{count} {gender}" for gender, count in split.get("genders", {}).items() if count)
            side = str(record.crop.get("size", ""))
            rows[name, str(split["clips"]), str(len(split["identities"])), genders, seconds, side] = None
    heads = ["split", "clips", "people", "clips by gender", "seconds a clip", "side in pixels"]
    return _table(heads, list(rows)) if rows else "Not recorded."


def _training(records: Sequence[TrainingRecord]) -> str:
    """List the runs with their steps, times and commits, and the machine that writes the card."""
    if not records:
        return "Not recorded."
    rows = [
        (
            record.experiment,
            record.stage,
            _told(record.steps),
            _told(record.seed),
            "" if record.seconds is None else f"{record.seconds / 60:.1f}",
            _told(record.commit)[:COMMIT_DIGITS] + (" and changes" if record.changed else ""),
        )
        for record in records
    ]
    known = [record.seconds for record in records if record.seconds is not None]
    total = f"{sum(known) / 60:.1f} minutes of training in all. " if len(known) == len(records) else ""
    heads = ["experiment", "stage", "steps", "seed", "minutes", "commit"]
    return f"{_table(heads, rows)}\n\n{total}This card was written on {_machine()}."


def _machine() -> str:
    """Name this machine by what a training's speed depends on."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    parts = [f"{os.cpu_count()} CPU cores ({_processor()})", *gpus, f"Python {platform.python_version()}"]
    return ", ".join([*parts, f"torch {torch.__version__}"])


def _processor() -> str:
    """Name the processor: by Linux its model, elsewhere its kind."""
    known = CPU_INFO.read_text(encoding="utf-8", errors="replace") if CPU_INFO.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", known, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _networks(folder: Path) -> str:
    """List the networks with their numbers of parameters and the sizes of their files."""
    index = read_index(folder)
    rows = []
    for name, kind in index["components"].items():
        place = folder / name
        # A network that another component has too is stored once.
        if (place / WEIGHTS_FILE).is_file():
            count = Network.from_pretrained(place).parameter_count
            size = (place / WEIGHTS_FILE).stat().st_size
            rows.append((name, kind, f"{count:,}", f"{size / 1e6:.2f}"))
    total = sum(path.stat().st_size for path in folder.rglob(WEIGHTS_FILE))
    bits = index.get("precision", 32)
    heads = ["network", "class", "parameters", "MB"]
    random = index["random_weights"]
    warning = f" **Never trained: {', '.join(random)}.**" if random else ""
    return f"{_table(heads, rows)}\n\nStored with {bits} bits a parameter, {total / 1e6:.2f} MB in all.{warning}"


def _measured(path: Path) -> str:
    """Make the table of an evaluation, with what it could not compute."""
    path = path / METRICS_FILE if path.is_dir() else path
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        every = scores["measurements"].items()
        rows = [_number(one) for name, one in every if not name.startswith(CONTROLS)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: {error}: expected the {METRICS_FILE} of an evaluation") from error
    heads = ["what", "value", "baseline", "ground truth", "target", "reached"]
    name, clips = scores.get("experiment", path.parent.name), scores.get("protocol", {}).get("clips")
    title = KINDS.get(scores.get("kind", ""), f"`{name}` on its test clips")
    lines = [f"### {title}", "", _table(heads, rows)]
    lines += ["", f"{clips} test clips."] if clips else []
    missing = [f"- Not computed: {what}: {why}" for what, why in scores.get("not_computed", {}).items()]
    return "\n".join([*lines, *([""] if missing else []), *missing])


def _number(one: Mapping[str, Any]) -> tuple[str, ...]:
    """Make the row of a measurement; a blank where there is no value."""
    value, baseline, truth, target = (
        "" if one.get(key) is None else significant(one[key]) for key in ("value", "baseline", "truth", "target")
    )
    beside = f"{baseline} ({one['baseline_name']})" if baseline and one.get("baseline_name") else baseline
    reached = {True: "yes", False: "no", None: ""}[one.get("reached")]
    target = f"{target} ({one['target_rule']})" if target and one.get("target_rule") else target
    return one["name"], value or "not a number", beside, truth, target, reached


def _told(value: object) -> str:
    return "" if value is None else str(value)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
