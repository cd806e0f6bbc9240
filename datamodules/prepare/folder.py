"""Reader for any folder of videos, with an optional table that names their speakers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.prepare.files import FileRecording, file_key, unique_key, walk
from datamodules.prepare.recording import Reader
from datamodules.prepare.splits import HeldOut, assign_splits
from s2tf.media.container import VIDEO_SUFFIXES
from s2tf.tables.names import normal_name, refuse_twins
from s2tf.tables.read_table import TableRow, match_files, read_table, refuse_rows

TABLE = "index.csv"
COLUMNS = ("path", "identity")
HELD_OUT = HeldOut()


class FolderReader(Reader):
    """Every video in a folder and its subfolders, in the order of their names.

    A table `index.csv` in the folder or in the one above it may name the speakers: the columns `path` (relative to
    the table) and `identity`, and where present `gender` (female, male, f, m) and `age`. A file that the table does
    not list is a speaker of its own; so is every file where there is no table. A row must name a file, and a file can
    have one row: the table is there so that no person is in two splits.

    Args:
        source: The folder.
        held_out: Shares of the identities held out for validation and test.

    Attributes:
        ignored: Files that are not videos by their name, relative to the folder.
        table: The table that was used, or None.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: The folder has no video, two of its videos differ only in composed and decomposed letters, or the
            table cannot be used: it cannot be read, or rows match no video or name the same one.
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
        refuse_twins(self.videos)
        table = [] if self.table is None else read_table(self.table, COLUMNS)
        rows = match_files(table, COLUMNS[0])
        # A table above the folder may name files of other folders too.
        known, root = {path.resolve() for path in self.videos}, self.source.resolve()
        others = [f"{row['path']!r}" for path, row in rows.items() if path not in known and path.is_relative_to(root)]
        refuse_rows(table, others, "name no video", "correct or delete these rows")
        self.recordings = assign_splits(_recordings(self.videos, self.source, rows), held_out)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _recordings(videos: list[Path], source: Path, rows: Mapping[Path, TableRow]) -> list[FileRecording]:
    taken: set[str] = set()
    result = []
    for path in videos:
        row = rows.get(path.resolve())
        key = unique_key(file_key(path.relative_to(source)), taken)
        # White space of any kind, such as the unbreakable space of a spreadsheet, makes no other person.
        identity = " ".join(normal_name(row["identity"]).split()) if row else ""
        attributes = _attributes(row) if row else {}
        result.append(
            FileRecording(key=key, dataset="folder", identity=identity or key, attributes=attributes, path=path)
        )
    return result


def _attributes(row: TableRow) -> dict[str, Any]:
    """Gender and age, where the row has them."""
    result: dict[str, Any] = {}
    gender = row["gender"].lower()
    if gender:
        names = {"f": "female", "female": "female", "m": "male", "male": "male"}
        if gender not in names:
            raise ValueError(f"{row.where}: gender {gender!r} of {row['path']}, expected female or male")
        result["gender"] = names[gender]
    if row["age"]:
        try:
            result["age"] = float(row["age"])
            if not 0 <= result["age"] <= 130:
                raise ValueError("out of range")
        except ValueError as error:
            raise ValueError(
                f"{row.where}: age {row['age']!r} of {row['path']}, expected years from 0 to 130"
            ) from error
    return result
