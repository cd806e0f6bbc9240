"""What stands below a table: what its numbers leave out, how they were measured, and by which versions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s2tf.evaluation.software import software_notes
from s2tf.reporting.paper import PaperTable
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.table import ReportTable


def count_notes(report: "ReportTable") -> Iterator[str]:
    """On how many clips and frames the numbers are."""
    columns = report.table.columns
    every = [(line, column, cell) for line in report.lines for column, cell in zip(columns, line.cells, strict=True)]
    if any(cell is not None and cell.clips is not None and cell.clips.partial for _, _, cell in every):
        yield (
            "Clips of some rows failed, and are left out of their means: such a number is marked, and never the best "
            "beside one of more or of other clips. Baseline and truth are of the rows of all clips, if there are any."
        )
    own = {
        column.heading: None for line, column, cell in every if cell is not None and line.is_reference and line.label
    }
    if own:
        yield f"No row has measured all clips: {', '.join(own)}: baseline and truth are each row's own there."
    for number, column in enumerate(columns):
        frames = report.frames(number)
        if len(frames) > 1:
            yield f"{column.heading}: of different numbers of frames, which do not compare: none of those is the best."
        elif frames:
            yield f"{column.heading}: of {frames[0]} frames."


def run_notes(runs: Sequence[RunScores], table: PaperTable, first: Sequence[str]) -> list[str]:
    """How runs were measured, by which versions, and what they say themselves; `first` goes before."""
    if not runs:
        return list(first)
    several = "mean ± standard deviation over seeds. " if table.explained else ""
    how, *apart = _protocols(runs, [column.measurement for column in table.columns])
    notes = [*first, *([table.explained] if table.explained else []), f"Ours: {several}{how}", *apart]
    notes += software_notes({run.folder: run.software for run in runs})
    notes += [f"{run.folder}: {remark}" for run in runs for remark in run.remarks]
    if random := sorted({name for run in runs for name in run.random_weights}):
        notes.append(f"RANDOM WEIGHTS in {', '.join(random)}: these numbers are no result.")
    return notes


def _protocols(runs: Sequence[RunScores], measurements: Sequence[str]) -> list[str]:
    """What all protocols of a table say, then for each of several what it alone says."""
    groups = _measured_together(runs, measurements)
    protocols = {
        mark: _protocol([run for run in runs if run.mark == mark], groups)
        for mark in sorted({run.mark for run in runs})
    }
    first, *_ = protocols.values()
    keys = list(dict.fromkeys(key for protocol in protocols.values() for key in protocol))
    # JSON, where these are from, has no value that is not equal to itself.
    shared = [key for key in keys if all(one.get(key) == first.get(key) for one in protocols.values())]
    lines = ["; ".join(f"{key}: {_plain(first[key])}" for key in shared)]
    if len(protocols) > 1:
        lines.append(
            "MIXED PROTOCOLS: lines of different letters compare in no column that they have measured in different "
            "ways; the best numbers are of each way."
        )
        for mark, protocol in protocols.items():
            own = (f"{key}: {_plain(protocol.get(key, 'not given'))}" for key in keys if key not in shared)
            lines.append(f"Protocol {mark}: {'; '.join(own)}")
    return lines


def _protocol(runs: Sequence[RunScores], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What runs of one letter say: what holds of all numbers, then what of the measurements of each group."""
    found = dict(runs[0].protocol)
    for names in groups:
        told = (run.protocols[name] for run in runs for name in names if name in run.protocols)
        found |= {f"{', '.join(names)}: {key}": value for key, value in next(told, {}).items()}
    return found


def _measured_together(runs: Sequence[RunScores], measurements: Sequence[str]) -> list[list[str]]:
    """The measurements, together those that every run that has both has measured alike."""
    groups: list[list[str]] = []
    for name in measurements:
        if not any(run.protocols.get(name) for run in runs):
            continue
        for group in groups:
            both = [run.protocols for run in runs if {name, group[0]} <= run.protocols.keys()]
            if both and all(one[name] == one[group[0]] for one in both):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    return str(value)
