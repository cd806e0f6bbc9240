"""Notes below a table: clips left out, protocols, and versions of the software."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s2tf.evaluation.software import software_notes
from s2tf.reporting.paper import PaperTable
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.table import ReportTable


def count_notes(report: "ReportTable") -> Iterator[str]:
    """Yield notes on the clips and frames behind the numbers."""
    columns = report.table.columns
    every = [(line, column, cell) for line in report.lines for column, cell in zip(columns, line.cells, strict=True)]
    if any(cell is not None and cell.clips is not None and cell.clips.partial for _, _, cell in every):
        yield (
            "Clips of some rows failed and are left out of their means: such a number is marked, and is never the best "
            "beside one over more or other clips. Baseline and truth are those of rows with all clips, where there are "
            "such rows."
        )
    own = {
        column.heading: None for line, column, cell in every if cell is not None and line.is_reference and line.label
    }
    if own:
        yield f"No row has measured all clips for {', '.join(own)}: each row has its own baseline and truth there."
    for number, column in enumerate(columns):
        frames = report.frames(number)
        if len(frames) > 1:
            yield f"{column.heading}: over different numbers of frames, not to be compared: none of them is the best."
        elif frames:
            yield f"{column.heading}: over {frames[0]} frames."


def run_notes(runs: Sequence[RunScores], table: PaperTable, first: Sequence[str]) -> list[str]:
    """Return notes on protocols, versions and remarks of runs, after the notes `first`."""
    if not runs:
        return list(first)
    several = "mean ± standard deviation over seeds. " if table.explained else ""
    how, *apart = _protocols(runs, [column.measurement for column in table.columns])
    notes = [
        *first,
        *([table.explained] if table.explained else []),
        f"Ours{table.how and f', {table.how}'}: {several}{how}",
        *apart,
    ]
    # Notes of single runs.
    notes += software_notes({run.folder: run.software for run in runs})
    notes += [f"{run.folder}: {remark}" for run in runs for remark in run.remarks]
    if random := sorted({name for run in runs for name in run.random_weights}):
        notes.append(f"RANDOM WEIGHTS in {', '.join(random)}: these numbers are no result.")
    return notes


def _protocols(runs: Sequence[RunScores], measurements: Sequence[str]) -> list[str]:
    """Return the entries that all protocols of a table share, then for each of several its own entries."""
    groups = _measured_together(runs, measurements)
    protocols = {
        mark: _protocol([run for run in runs if run.mark == mark], groups)
        for mark in sorted({run.mark for run in runs})
    }
    first, *_ = protocols.values()
    keys = list(dict.fromkeys(key for protocol in protocols.values() for key in protocol))
    # Values come from JSON, where every value equals itself.
    shared = [key for key in keys if all(one.get(key) == first.get(key) for one in protocols.values())]
    lines = ["; ".join(f"{key}: {_plain(first[key])}" for key in shared)]
    if len(protocols) > 1:
        lines.append(
            "MIXED PROTOCOLS: lines of different letters cannot be compared in columns that they measured in different "
            "ways; each way has its own best number."
        )
        for mark, protocol in protocols.items():
            own = (f"{key}: {_plain(protocol.get(key, 'not given'))}" for key in keys if key not in shared)
            lines.append(f"Protocol {mark}: {'; '.join(own)}")
    return lines


def _protocol(runs: Sequence[RunScores], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the protocol of runs of one letter: the shared entries, then those of each group of measurements."""
    found = dict(runs[0].protocol)
    for names in groups:
        told = (run.protocols[name] for run in runs for name in names if name in run.protocols)
        found |= {f"{', '.join(names)}: {key}": value for key, value in next(told, {}).items()}
    return found


def _measured_together(runs: Sequence[RunScores], measurements: Sequence[str]) -> list[list[str]]:
    """Group the measurements that were measured alike by every run that has both."""
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
