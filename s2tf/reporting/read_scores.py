"""What a `metrics.json` says, wherever it comes from, and whether several may stand in one table."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.evaluation.stages.motion_diffusion import AUTOENCODER
from s2tf.reporting.run_scores import RunScores

PORTRAITS, VIDEOS = "portraits", "videos"


def read_scores(path: Path, kind: str, seed: int) -> "RunScores":
    """A `metrics.json`.

    Raises:
        UserError: the file is missing, not one of `s2tf evaluate`, or not of that kind.
    """
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: expected what `s2tf evaluate` writes") from error
    except ValueError as error:
        raise UserError(f"{path}: not written by `s2tf evaluate`: {error!r}") from error
    return scores_of(record, kind, seed, str(path), str(path.parent if path.name == METRICS_FILE else path))


def scores_of(record: Mapping[str, Any], kind: str, seed: int, source: str, folder: str) -> "RunScores":
    """The content of a `metrics.json`.

    Args:
        record: As `s2tf evaluate` writes it.
        kind: Of the measurements that are wanted.
        seed: Of the run.
        source: Where the record is from, for messages about it.
        folder: Where the run is, or what it is called.

    Raises:
        UserError: it is no such record, or not of that kind.
    """
    try:
        if record["kind"] != kind:
            raise UserError(f"{source}: numbers of {record['kind']}, expected those of {kind}")
        measurements, shared = record["measurements"], _shared_protocol(record)
        values, baselines, truths = (
            {name: one[key] for name, one in measurements.items() if one[key] is not None}
            for key in ("value", "baseline", "truth")
        )
        return RunScores(
            experiment=record["experiment"],
            folder=folder,
            seed=seed,
            values=values,
            baselines=baselines,
            truths=truths,
            protocol=shared,
            random_weights=tuple(record["random_weights"]),
            remarks=tuple(_remarks(record)),
            software=_software(measurements),
            protocols={name: _own_protocol(one, kind, shared) for name, one in measurements.items()},
            counts={name: one.get("counts", {}) for name, one in measurements.items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{source}: not written by `s2tf evaluate`: {error!r}") from error


def _software(measurements: Mapping[str, Any]) -> dict[str, str]:
    """The versions of all numbers; records of before they were noted have none."""
    found = {name: version for one in measurements.values() for name, version in one.get("software", {}).items()}
    return dict(sorted(found.items()))


def _remarks(record: Mapping[str, Any]) -> Iterator[str]:
    """What could not be measured, and the warnings; records of runs, where all was measured, have neither."""
    failed = Counter(one["what"] for one in record.get("failures", ()))
    if failed:
        yield f"clips that failed: {', '.join(f'{what}: {count}' for what, count in failed.items())}"
    for name, reason in record.get("not_computed", {}).items():
        yield f"{name} not computed: {reason}"
    yield from record.get("warnings", ())


def _shared_protocol(record: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of all numbers; of videos, what is said as `measure: key` stands with each number again."""
    apart = ": " if record["kind"] == VIDEOS else None
    return {key: value for key, value in record["protocol"].items() if apart is None or apart not in key}


def _own_protocol(measurement: Mapping[str, Any], kind: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """What tells whether one number compares with another's, beyond what holds of all of them."""
    protocol = measurement["protocol"]
    if kind == VIDEOS:
        return {key: value for key, value in protocol.items() if key not in shared or shared[key] != value}
    # The protocols of a stage's test hold its counts, too.
    told = ("gallery_size", "reader") if kind == PORTRAITS else ()
    return {key: protocol[key] for key in told if key in protocol}


def mark_protocols(
    scores: "Mapping[str, Sequence[RunScores]]", measurements: Sequence[str], mixed: bool
) -> "dict[str, list[RunScores]]":
    """The runs of each row, with the letters of their protocols where there are several.

    Args:
        scores: By the row's label.
        measurements: Those of the table: how others were made is of no account, nor is what a row has not measured.
        mixed: Whether rows of different protocols may stand in one table.

    Raises:
        UserError: rows differ in their protocols and may not, or the runs of one row do; the message says in what.
    """
    groups: list[list[RunScores]] = []
    number_of = {}
    for label, runs in scores.items():
        _refuse(combinations(runs, 2), measurements, "a mean over seeds needs one")
        if not mixed:
            others = [one for group in groups for one in group]
            _refuse(product(others, runs), measurements, "evaluate them in the same way, or give --mixed-protocols")
        fitting = [number for number, group in enumerate(groups) if _compare(group, runs, measurements)]
        number_of[label] = fitting[0] if fitting else len(groups)
        if runs:
            groups += [] if fitting else [[]]
            groups[number_of[label]] += runs
    if len(groups) < 2:
        return {label: list(runs) for label, runs in scores.items()}
    marks = [_column_marks(groups, number, measurements) for number in range(len(groups))]
    return {
        label: [replace(one, mark=_letter(number_of[label]), marks=marks[number_of[label]]) for one in runs]
        for label, runs in scores.items()
    }


def _column_marks(groups: "Sequence[Sequence[RunScores]]", number: int, measurements: Sequence[str]) -> dict[str, str]:
    """For each measurement the letter of the first group that has made it as this one has."""
    found = {}
    for name in measurements:
        having = [[run for run in group if name in run.values] for group in groups[: number + 1]]
        alike = [first for first, group in enumerate(having) if group and _compare(group, having[number], [name])]
        found[name] = _letter(alike[0] if having[number] else number)
    return found


def _compare(runs: "Sequence[RunScores]", others: "Sequence[RunScores]", measurements: Sequence[str]) -> bool:
    return not any(protocol_differences(one, other, measurements) for one, other in product(runs, others))


def protocol_differences(one: "RunScores", other: "RunScores", measurements: Sequence[str]) -> list[str]:
    """In what two runs differ that is said of all numbers or of those that both have, as `key: this and that`."""
    found = differences(_comparable(one.protocol), _comparable(other.protocol))
    for name in measurements:
        if name in one.values and name in other.values:
            found += differences(one.protocols.get(name, {}), other.protocols.get(name, {}), name)
    return found


def _refuse(pairs: "Iterable[tuple[RunScores, RunScores]]", measurements: Sequence[str], instead: str) -> None:
    for one, other in pairs:
        if found := protocol_differences(one, other, measurements):
            raise UserError(
                f"{one.folder} and {other.folder} were measured by different protocols: {'; '.join(found[:3])}: "
                f"{instead}"
            )


def _comparable(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol without what differs between the seeds of one experiment, and without copies' own names."""
    own = (AUTOENCODER, "shards") if AUTOENCODER in protocol else ()
    return {key: value for key, value in protocol.items() if key not in own}


def _letter(number: int) -> str:
    """The letters a to z, then aa, bb and so on."""
    return ascii_lowercase[number % 26] * (number // 26 + 1)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two trees differ, as `key: this and that`."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        return [
            difference
            for key in keys
            for difference in differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if one == other else [f"{path}: {one} and {other}"]
