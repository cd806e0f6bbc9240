"""Finds the videos to compare: two folders of videos, two files, or a table of pairs."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.sources import VideoFile, VideoSource
from s2tf.evaluation.videos.pairs import ClipPair

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
COLUMNS = ("generated", "reference")
SHOWN = 5
"""Greatest number of names in a message."""


@dataclass(frozen=True)
class Missing:
    """A clip with only one of its two videos."""

    reason: str
    reference: VideoSource | None
    """Reference video, if it exists."""


@dataclass(frozen=True)
class FoundPairs:
    """Clips that were found."""

    pairs: list[ClipPair]
    """Pairs in the order of their keys."""
    missing: dict[str, Missing]
    """Clips with only one of their two videos, by key."""

    def first(self, clips: int | None) -> "FoundPairs":
        """Keep the first clips by key, including those with a missing video; all if `clips` is None."""
        kept = set(sorted([*(pair.key for pair in self.pairs), *self.missing])[:clips])
        missing = {key: one for key, one in self.missing.items() if key in kept}
        return FoundPairs([pair for pair in self.pairs if pair.key in kept], missing)


def find_pairs(generated: Path, reference: Path | None) -> FoundPairs:
    """Find the pairs of two folders (equal paths below them, without the suffix), of two files, or of a CSV.

    A reference without a generated video counts as a clip that failed: a system does not get better by leaving out
    A reference without a generated video counts as a failed clip: a system must not improve its numbers by leaving out
    difficult clips.

    Args:
        generated: A folder, a video, or a CSV with the columns `generated`, `reference` (paths, relative to it) and
            optionally `name`.
        reference: A folder or a video; None with a CSV.

    Raises:
        UserError: There is nothing to compare, or the two are not of the same kind; the message names what was found.
    """
    if generated.suffix == ".csv":
        if reference is not None:
            raise UserError(
                f"{reference}: the CSV {generated} names the references itself, expected no second argument"
            )
        return _of_table(generated)
    if reference is None:
        raise UserError(f"{generated}: expected a second argument, the folder or video of the references")
    for path in (generated, reference):
        if not path.exists():
            raise UserError(f"{path} does not exist, expected a file or folder")
    if generated.is_dir() != reference.is_dir():
        raise UserError(f"{generated} and {reference}: expected two folders or two videos")
    if not generated.is_dir():
        return _match({generated.stem: generated}, {generated.stem: reference})
    return _of_folders(generated, reference)


def files_by_name(folder: Path, suffixes: Sequence[str], what: str) -> dict[str, Path]:
    """Find the files of certain suffixes, by their path below the folder without the suffix.

    Raises:
        UserError: There is no such file, or two have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith("."):
            key = path.relative_to(folder).with_suffix("").as_posix()
            if key in found:
                raise UserError(f"{found[key]} and {path}: two {what} with the same name, expected different names")
            found[key] = path
    if not found:
        raise UserError(f"{folder} contains no {what}, expected files with {', '.join(suffixes)}")
    return found


def _of_folders(generated: Path, reference: Path) -> FoundPairs:
    videos, references = (files_by_name(folder, SUFFIXES, "videos") for folder in (generated, reference))
    if not set(videos) & set(references):
        raise UserError(
            f"none of the {len(videos)} videos in {generated} has the same name as one of the {len(references)} in "
            f"{reference}: {_some(videos)} against {_some(references)}"
        )
    return _match(videos, references)


def _of_table(table: Path) -> FoundPairs:
    rows = _read_table(table)
    videos: dict[str, Path] = {}
    references: dict[str, Path] = {}
    for number, row in enumerate(rows, start=2):
        if not all(row[name] for name in COLUMNS):
            raise UserError(f"{table}, line {number}: expected a generated video and a reference, got {row}")
        generated, reference = (table.parent / row[name] for name in COLUMNS)
        key = row.get("name") or Path(row["generated"]).with_suffix("").as_posix()
        if key in references:
            raise UserError(
                f"{table}, line {number}: two clips have the name {key}; add a column `name` with different names"
            )
        if not reference.is_file():
            raise UserError(f"{table}, line {number}: the reference {reference} does not exist")
        references[key] = reference
        if generated.is_file():
            videos[key] = generated
    if not videos:
        raise UserError(f"{table}: none of its generated videos exists; the first is {rows[0]['generated']}")
    return _match(videos, references)


def _read_table(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        raise UserError(f"{table} does not exist, expected a CSV file")
    # Spreadsheet programs begin a file with a byte order mark, which is no part of the first column's name.
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
    return rows


def _match(videos: dict[str, Path], references: dict[str, Path]) -> FoundPairs:
    both = sorted(set(videos) & set(references))
    missing = {
        key: Missing(f"no generated video for {references[key]}", VideoFile(references[key]))
        for key in sorted(set(references) - set(videos))
    }
    lost = sorted(set(videos) - set(references))
    missing |= {key: Missing(f"no reference for {videos[key]}", None) for key in lost}
    return FoundPairs([ClipPair(key, VideoFile(videos[key]), VideoFile(references[key])) for key in both], missing)


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:SHOWN]) + (" ..." if len(ordered) > SHOWN else "")
