"""Comparison of protocols: which runs may stand in one table, and the letters that mark those that differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from string import ascii_lowercase
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.stages.motion_diffusion import AUTOENCODER
from s2tf.reporting.run_scores import RunScores


def mark_protocols(
    scores: Mapping[str, Sequence[RunScores]], measurements: Sequence[str], mixed: bool
) -> dict[str, list[RunScores]]:
    """Return the runs of each row, marked with the letters of their protocols where there are several.

    Args:
        scores: Runs by the row's label.
        measurements: Measurements of the table; the protocols of others, and of those that a row lacks, do not matter.
        mixed: True if rows of different protocols may stand in one table.

    Raises:
        UserError: Rows differ in their protocols and may not, or the runs of one row do; the message names the
            differences.
    """
    # Collect rows of one protocol in one group.
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
    # Give each group its letter, and each of its measurements that of the first group that measured it so.
    marks = [_column_marks(groups, number, measurements) for number in range(len(groups))]
    return {
        label: [replace(one, mark=_letter(number_of[label]), marks=marks[number_of[label]]) for one in runs]
        for label, runs in scores.items()
    }


def _column_marks(groups: Sequence[Sequence[RunScores]], number: int, measurements: Sequence[str]) -> dict[str, str]:
    """Return for each measurement the letter of the first group that measured it as this one did."""
    found = {}
    for name in measurements:
        having = [[run for run in group if name in run.values] for group in groups[: number + 1]]
        alike = [first for first, group in enumerate(having) if group and _compare(group, having[number], [name])]
        found[name] = _letter(alike[0] if having[number] else number)
    return found


def _compare(runs: Sequence[RunScores], others: Sequence[RunScores], measurements: Sequence[str]) -> bool:
    return not any(protocol_differences(one, other, measurements) for one, other in product(runs, others))


def protocol_differences(one: RunScores, other: RunScores, measurements: Sequence[str]) -> list[str]:
    """Return differences of two runs, in the shared protocol or in measurements of both, as `key: this and that`."""
    found = differences(_comparable(one.protocol), _comparable(other.protocol))
    for name in measurements:
        if name in one.values and name in other.values:
            found += differences(one.protocols.get(name, {}), other.protocols.get(name, {}), name)
    return found


def _refuse(pairs: Iterable[tuple[RunScores, RunScores]], measurements: Sequence[str], instead: str) -> None:
    for one, other in pairs:
        if found := protocol_differences(one, other, measurements):
            raise UserError(
                f"{one.folder} and {other.folder} were measured by different protocols: {'; '.join(found[:3])}: "
                f"{instead}"
            )


def _comparable(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol without entries that differ between seeds of one experiment, and without copies' names."""
    own = (AUTOENCODER, "shards") if AUTOENCODER in protocol else ()
    return {key: value for key, value in protocol.items() if key not in own}


def _letter(number: int) -> str:
    """Return the letters a to z, then aa, bb and so on."""
    return ascii_lowercase[number % 26] * (number // 26 + 1)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return the differences of two trees, as `key: this and that`."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        return [
            difference
            for key in keys
            for difference in differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if one == other else [f"{path}: {one} and {other}"]
