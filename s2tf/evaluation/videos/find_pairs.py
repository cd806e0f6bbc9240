"""Finds what is to be compared: two folders of videos, two files, or a table of pairs."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.evaluation.videos.sources import VideoFile, VideoSource

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
COLUMNS = ("generated", "reference")
SHOWN = 5


@dataclass(frozen=True)
class FoundPairs:
    """What there is to measure."""

    pairs: "list[ClipPair]"
    """In the order of their keys."""
    missing: "dict[str, Missing]"
    """Clips that cannot be measured since one of the two is not there, by their keys."""


@dataclass(frozen=True)
class Missing:
    """A clip of which one video is absent."""

    reason: str
    true: "VideoSource | None"
    """The reference, if it is there."""


def find_pairs(generated: Path, reference: Path | None) -> FoundPairs:
    """The pairs of two folders (by equal paths below them, whatever the suffix), of two files, or of a CSV.

    A reference without a generated video counts as a clip that failed: a system does not get better by leaving out
    what it cannot do.

    Args:
        generated: A folder, a video, or a CSV with the columns `generated`, `reference` (paths, relative to it) and
            perhaps `name`.
        reference: A folder or a video; None with a CSV.

    Raises:
        UserError: There is nothing to compare, or the two are not of the same kind; the message says what is there.
    """
    if generated.suffix == ".csv":
        if reference is not None:
            raise UserError(f"{reference}: {generated} names the references itself, expected no second argument")
        return _of_table(generated)
    if reference is None:
        raise UserError(f"{generated}: expected a second argument, the folder or video of the references")
    for path in (generated, reference):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    if generated.is_dir() != reference.is_dir():
        raise UserError(f"{generated} and {reference}: expected two folders or two videos")
    if not generated.is_dir():
        return _pairs({generated.stem: generated}, {generated.stem: reference})
    made, true = (files_by_name(folder, SUFFIXES, "videos") for folder in (generated, reference))
    if not set(made) & set(true):
        raise UserError(
            f"no video of the {len(made)} in {generated} has the name of one of the {len(true)} in {reference}: "
            f"{_some(made)} against {_some(true)}"
        )
    return _pairs(made, true)


def _pairs(made: dict[str, Path], true: dict[str, Path]) -> FoundPairs:
    both = sorted(set(made) & set(true))
    missing = {
        key: Missing(f"no generated video for {true[key]}", VideoFile(true[key]))
        for key in sorted(set(true) - set(made))
    }
    missing |= {key: Missing(f"no reference for {made[key]}", None) for key in sorted(set(made) - set(true))}
    return FoundPairs([ClipPair(key, VideoFile(made[key]), VideoFile(true[key])) for key in both], missing)


def files_by_name(folder: Path, suffixes: Sequence[str], what: str) -> dict[str, Path]:
    """The files of certain suffixes, by their path below the folder without the suffix.

    Raises:
        UserError: There is none, or two have one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith("."):
            key = path.relative_to(folder).with_suffix("").as_posix()
            if key in found:
                raise UserError(f"{found[key]} and {path}: two {what} of one name")
            found[key] = path
    if not found:
        raise UserError(f"{folder}: no {what} in it ({', '.join(suffixes)})")
    return found


def _of_table(table: Path) -> FoundPairs:
    if not table.is_file():
        raise UserError(f"{table}: no such file")
    # Spreadsheets begin a file with a mark that is no part of the first column's name.
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: expected a CSV in UTF-8: {error}") from error
    absent = [name for name in COLUMNS if rows and rows[0].get(name) is None]
    if not rows or absent:
        raise UserError(
            f"{table}: expected rows with the columns {', '.join(COLUMNS)}" + (": none" if not rows else "")
        )
    made: dict[str, Path] = {}
    true: dict[str, Path] = {}
    for number, row in enumerate(rows, start=2):
        if not all(row[name] for name in COLUMNS):
            raise UserError(f"{table}, line {number}: expected a generated video and a reference, got {row}")
        one, other = (table.parent / row[name] for name in COLUMNS)
        key = row.get("name") or Path(row["generated"]).with_suffix("").as_posix()
        if key in true:
            raise UserError(f"{table}, line {number}: {key} is there twice; a column `name` tells clips apart")
        if not other.is_file():
            raise UserError(f"{table}, line {number}: {other}: no such file")
        true[key] = other
        if one.is_file():
            made[key] = one
    if not made:
        raise UserError(f"{table}: none of its generated videos is there, such as {rows[0]['generated']}")
    return _pairs(made, true)


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:SHOWN]) + (" ..." if len(ordered) > SHOWN else "")
