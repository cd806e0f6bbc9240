"""Reading of a `metrics.json`, from a file or as a record that W&B has kept."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.nn.file_kinds import read_json
from s2tf.reporting.run_scores import RunScores

PORTRAITS, VIDEOS, EFFICIENCY = "portraits", "videos", "efficiency"
"""Kinds of `metrics.json` that reports treat in their own way."""


def read_scores(path: Path, kind: str, seed: int) -> RunScores:
    """Read a `metrics.json`.

    Raises:
        UserError: The file is missing, was not written by `s2tf evaluate`, or is of another kind.
    """
    try:
        record = read_json(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: expected a file that `s2tf evaluate` writes") from error
    except ValueError as error:
        raise UserError(f"{path}: not written by `s2tf evaluate`: {error}") from error
    return scores_of(record, kind, seed, str(path), str(path.parent if path.name == METRICS_FILE else path))


def kind_of(path: Path) -> str | None:
    """Return the kind of a `metrics.json`, or None where `read_scores` refuses the file."""
    try:
        return str(read_json(path)["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def scores_of(record: Mapping[str, Any], kind: str, seed: int, source: str, folder: str) -> RunScores:
    """Read the content of a `metrics.json`.

    Args:
        record: Content as `s2tf evaluate` writes it.
        kind: Kind of the measurements that are wanted.
        seed: Seed of the run.
        source: Origin of the record, for messages about it.
        folder: Folder or name of the run.

    Raises:
        UserError: The record has another form, or is of another kind.
    """
    try:
        if record["kind"] != kind:
            raise UserError(f"{source}: numbers of {record['kind']}, expected those of {kind}")
        measurements, shared = record["measurements"], _shared_protocol(record)
        _check_numbers(measurements, source)
        # A measurement may lack its baseline or truth, or have a value that JSON cannot write.
        values, baselines, truths = (
            {name: one[key] for name, one in measurements.items() if one[key] is not None}
            for key in ("value", "baseline", "truth")
        )
        # Optional entries, which records of earlier versions lack, have defaults.
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
            datasets=tuple(record.get("datasets", ())),
            system=record.get("system", {}),
            counts={name: one.get("counts", {}) for name, one in measurements.items()},
        )
    except KeyError as error:
        raise UserError(f"{source}: not written by `s2tf evaluate`: entry {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise UserError(f"{source}: not written by `s2tf evaluate`: an entry has another form: {error}") from error


def _check_numbers(measurements: Mapping[str, Any], source: str) -> None:
    """Check that every value is a number, or null where JSON cannot write it."""
    for name, one in measurements.items():
        for key in ("value", "baseline", "truth"):
            if one[key] is not None and (isinstance(one[key], bool) or not isinstance(one[key], int | float)):
                raise UserError(f"{source}: measurements.{name}.{key} is {one[key]!r}, expected a number")


def _software(measurements: Mapping[str, Any]) -> dict[str, str]:
    """Join the versions of all numbers; records from before versions were kept have none."""
    found = {name: version for one in measurements.values() for name, version in one.get("software", {}).items()}
    return dict(sorted(found.items()))


def _remarks(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield failures, measurements that are missing, and warnings; records of runs have neither."""
    failed = Counter(one["what"] for one in record.get("failures", ()))
    if failed:
        yield f"clips that failed: {', '.join(f'{what}: {count}' for what, count in failed.items())}"
    for name, reason in record.get("not_computed", {}).items():
        yield f"{name} not computed: {reason}"
    yield from record.get("warnings", ())


def _shared_protocol(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol of all numbers; for videos without keys `measure: key`, which each number repeats."""
    apart = ": " if record["kind"] == VIDEOS else None
    return {key: value for key, value in record["protocol"].items() if apart is None or apart not in key}


def _own_protocol(measurement: Mapping[str, Any], kind: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a number's own protocol that decides if it can be compared with another's."""
    protocol = measurement["protocol"]
    if kind == VIDEOS:
        return {key: value for key, value in protocol.items() if key not in shared or shared[key] != value}
    # The protocols of a stage's test hold counts too, which do not decide that.
    told = ("gallery_size", "reader") if kind == PORTRAITS else ()
    return {key: protocol[key] for key in told if key in protocol}
