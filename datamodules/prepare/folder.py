"""Reader for any folder of videos, with an optional table that names their speakers."""

import csv
from pathlib import Path
from typing import Any

from datamodules.prepare.files import VIDEO_SUFFIXES, FileRecording, file_key, unique_key, walk
from datamodules.prepare.recording import Reader
from datamodules.prepare.splits import HeldOut, assign_splits

TABLE = "index.csv"
HELD_OUT = HeldOut()


class FolderReader(Reader):
    """Every video in a folder and its subfolders, in the order of their names.

    A table `index.csv` in the folder or in the one above it may name the speakers: the columns `path` (relative to
    the table) and `identity`, and where present `gender` (female, male, f, m) and `age`. A file that the table does
    not list is a speaker of its own; so is every file where there is no table.

    Args:
        source: The folder.
        held_out: Shares of the identities held out for validation and test.

    Attributes:
        ignored: Files that are not videos by their name, relative to the folder.
        table: The table that was used, or None.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: The folder has no video, or the table cannot be used.
    """

    def __init__(self, source: str | Path, held_out: HeldOut = HELD_OUT):
        self.source = Path(source)
        if not self.source.is_dir():
            raise FileNotFoundError(f"{str(source)!r} is no folder, expected a folder of videos")
        files = walk(self.source)
        files = [path for path in files if not _hidden(path.relative_to(self.source))]
        self.videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        self.table = next((path for path in (self.source / TABLE, self.source.parent / TABLE) if path.is_file()), None)
        self.ignored = [
            str(path.relative_to(self.source)) for path in files if path not in set(self.videos) and path != self.table
        ]
        if not self.videos:
            raise ValueError(f"no video in {source}: no file ends in {' '.join(sorted(VIDEO_SUFFIXES))}")
        rows = _read_table(self.table) if self.table is not None else {}
        self.recordings = assign_splits(_recordings(self.videos, self.source, rows, self.table), held_out)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _recordings(
    videos: list[Path], source: Path, rows: dict[Path, dict[str, str]], table: Path | None
) -> list[FileRecording]:
    taken: set[str] = set()
    result = []
    for path in videos:
        row = rows.get(path.resolve(), {})
        key = unique_key(file_key(path.relative_to(source)), taken)
        identity = (row.get("identity") or "").strip() or key
        result.append(
            FileRecording(key=key, dataset="folder", identity=identity, attributes=_attributes(row, table), path=path)
        )
    return result


def _read_table(path: Path) -> dict[Path, dict[str, str]]:
    """The table's rows by the file that they describe."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if "path" not in columns or "identity" not in columns:
                raise ValueError(f"{path}: expected the columns 'path' and 'identity', got {list(columns)}")
            return {(path.parent / row["path"]).resolve(): row for row in reader if row["path"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error


def _attributes(row: dict[str, str], table: Path | None) -> dict[str, Any]:
    """Gender and age, where the row has them."""
    result: dict[str, Any] = {}
    gender = (row.get("gender") or "").strip().lower()
    if gender:
        names = {"f": "female", "female": "female", "m": "male", "male": "male"}
        if gender not in names:
            raise ValueError(f"{table}: gender {gender!r} of {row['path']}, expected female or male")
        result["gender"] = names[gender]
    age = (row.get("age") or "").strip()
    if age:
        try:
            result["age"] = float(age)
        except ValueError as error:
            raise ValueError(f"{table}: age {age!r} of {row['path']}, expected years") from error
    return result
