"""What a `metrics.json` says, wherever it comes from, and whether several may stand in one table."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from s2tf.commands.evaluation import METRICS_FILE
from s2tf.errors import UserError

if TYPE_CHECKING:
    from s2tf.metrics.table import RunScores

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
    from s2tf.metrics.table import RunScores

    try:
        if record["kind"] != kind:
            raise UserError(f"{source}: numbers of {record['kind']}, expected those of {kind}")
        measurements = record["measurements"]
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
            protocol=record["protocol"] | (_portrait_protocol(measurements) if kind == PORTRAITS else {}),
            random_weights=tuple(record["random_weights"]),
            remarks=tuple(_remarks(record)),
            software=_software(measurements),
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


def _portrait_protocol(measurements: Mapping[str, Any]) -> dict[str, Any]:
    gallery = measurements["R@1"]["protocol"]["gallery_size"]
    reader = measurements.get("gender", measurements.get("age", {})).get("protocol", {}).get("reader", "nothing")
    return {"gallery": gallery, "gender and age by": reader}


def mark_protocols(scores: "Mapping[str, Sequence[RunScores]]", mixed: bool) -> "dict[str, list[RunScores]]":
    """The runs of each row, with the letter of their protocol where there are several.

    Args:
        scores: By the row's label.
        mixed: Whether rows of different protocols may stand in one table.

    Raises:
        UserError: rows differ in their protocols and may not, or the runs of one row do; the message says in what.
    """
    from dataclasses import replace

    firsts: list[RunScores] = []
    number_of = {}
    for label, runs in scores.items():
        for one in runs[1:]:
            _refuse(runs[0], one, "a mean over seeds needs one")
        for one in runs[:1]:
            alike = [number for number, first in enumerate(firsts) if not protocol_differences(first, one)]
            if firsts and not alike and not mixed:
                _refuse(firsts[0], one, "evaluate them in the same way, or give --mixed-protocols")
            number_of[label] = alike[0] if alike else len(firsts)
            firsts += [] if alike else [one]
    if len(firsts) < 2:
        return {label: list(runs) for label, runs in scores.items()}
    return {label: [replace(one, mark=_letter(number_of[label])) for one in runs] for label, runs in scores.items()}


def protocol_differences(one: "RunScores", other: "RunScores") -> list[str]:
    """In what the protocols of two runs differ, as `key: this and that`."""
    return differences(_comparable(one.protocol), _comparable(other.protocol))


def _refuse(one: "RunScores", other: "RunScores", instead: str) -> None:
    if found := protocol_differences(one, other):
        raise UserError(
            f"{one.folder} and {other.folder} were measured by different protocols: {'; '.join(found[:3])}: {instead}"
        )


def _comparable(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol without what differs between the seeds of one experiment, and without copies' own names."""
    from s2tf.commands.evaluate_motion import AUTOENCODER

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
