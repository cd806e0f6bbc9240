"""Finds the videos to compare: two folders of videos, two files, or a table of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.sources import VideoFile, VideoSource
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.media.container import VIDEO_SUFFIXES
from s2tf.tables.names import FileFinder, listed, normal_name, sorting_key
from s2tf.tables.read_table import TableRow, read_table, refuse_rows

COLUMNS = ("generated", "reference")


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

    A reference without a generated video counts as a failed clip: a system must not improve its numbers by leaving out
    difficult clips.

    Args:
        generated: A folder, a video, or a CSV with the columns `generated`, `reference` (paths, relative to it) and
            optionally `name`.
        reference: A folder or a video; None with a CSV.

    Raises:
        UserError: There is nothing to compare, or the two are not of the same kind; the message names what was found.
    """
    if generated.suffix.lower() in (".csv", ".tsv"):
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
        key = normal_name(generated.stem)
        return _match({key: generated}, {key: reference})
    return _of_folders(generated, reference)


def files_by_name(folder: Path, suffixes: Sequence[str], what: str) -> dict[str, Path]:
    """Find the files of certain suffixes, by their normal path below the folder without the suffix.

    Raises:
        UserError: There is no such file, or two have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*"), key=sorting_key):
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith("."):
            key = normal_name(path.relative_to(folder).with_suffix("").as_posix())
            if key in found:
                raise UserError(f"{found[key]} and {path}: two {what} with the same name, expected different names")
            found[key] = path
    if not found:
        raise UserError(f"{folder} contains no {what}, expected files with {', '.join(suffixes)}")
    return found


def _of_folders(generated: Path, reference: Path) -> FoundPairs:
    videos, references = (files_by_name(folder, sorted(VIDEO_SUFFIXES), "videos") for folder in (generated, reference))
    if not set(videos) & set(references):
        raise UserError(
            f"none of the {len(videos)} videos in {generated} has the same name as one of the {len(references)} in "
            f"{reference}: {listed(sorted(videos))} against {listed(sorted(references))}"
        )
    return _match(videos, references)


def _of_table(table: Path) -> FoundPairs:
    if not table.is_file():
        raise UserError(f"{table} does not exist, expected a CSV file")
    rows = read_table(table, COLUMNS)
    if not rows:
        raise UserError(f"{table}: expected rows below the columns {', '.join(COLUMNS)}, got none")
    references = _references(table, rows)
    finder = FileFinder(table.parent)
    generated = {key: finder.find(row["generated"]) for key, (row, _) in references.items()}
    videos = {key: path for key, path in generated.items() if path is not None}
    if not videos:
        raise UserError(f"{table}: none of its generated videos exists; the first is {rows[0]['generated']}")
    _refuse_repeated(rows, references, videos)
    return _match(videos, {key: path for key, (_, path) in references.items()})


def _references(table: Path, rows: Sequence[TableRow]) -> dict[str, tuple[TableRow, Path]]:
    """Return each row and its reference by the clip's name.

    Raises:
        UserError: A cell is empty, two clips have the same name, or references match no file.
    """
    finder = FileFinder(table.parent)
    found: dict[str, tuple[TableRow, Path]] = {}
    lost, twice = [], []
    for row in rows:
        if not all(row[name] for name in COLUMNS):
            raise UserError(f"{row.where}: expected a generated video and a reference, got {dict(row.cells)}")
        path = finder.find(row["reference"])
        key = normal_name(row["name"] or Path(row["generated"].replace("\\", "/")).with_suffix("").as_posix())
        if path is None:
            lost.append(f"{row['reference']!r} (line {row.line})")
        elif key in found:
            twice.append(f"{key!r} (lines {found[key][0].line} and {row.line})")
        else:
            found[key] = (row, path)
    refuse_rows(rows, lost, "have a reference that matches no file", "correct or delete these rows")
    refuse_rows(rows, twice, "have the name of another one", "add a column `name` with different names")
    return found


def _refuse_repeated(
    rows: Sequence[TableRow], references: Mapping[str, tuple[TableRow, Path]], videos: Mapping[str, Path]
) -> None:
    """Refuse rows that compare the same generated video with the same reference again.

    Raises:
        UserError: There are such rows.
    """
    first: dict[tuple[Path, Path], TableRow] = {}
    twice = []
    for key, video in videos.items():
        row, reference = references[key]
        earlier = first.setdefault((video.resolve(), reference.resolve()), row)
        if earlier is not row:
            twice.append(f"{row['generated']!r} (lines {earlier.line} and {row.line})")
    refuse_rows(rows, twice, "name the two files of another row", "expected one row for each pair")


def _match(videos: dict[str, Path], references: dict[str, Path]) -> FoundPairs:
    both = sorted(set(videos) & set(references))
    missing = {
        key: Missing(f"no generated video for {references[key]}", VideoFile(references[key]))
        for key in sorted(set(references) - set(videos))
    }
    lost = sorted(set(videos) - set(references))
    missing |= {key: Missing(f"no reference for {videos[key]}", None) for key in lost}
    return FoundPairs([ClipPair(key, VideoFile(videos[key]), VideoFile(references[key])) for key in both], missing)
