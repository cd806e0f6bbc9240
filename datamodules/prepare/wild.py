"""A plain list of clips to evaluate on, such as the paper's 50 test videos of AVSpeech; all are the test split.

The list is a text file. A line is a video's path, absolute or relative to the list; `,start,end` in seconds may follow,
then `,x,y`, the place of the speaker's face as shares of the picture. Lines that begin with # are skipped. A name with
a comma in it stands in quotation marks.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from datamodules.prepare.files import FileRecording, file_key, unique_key
from datamodules.prepare.recording import Reader
from s2tf.tables.names import FileFinder, listed
from s2tf.tables.read_table import read_rows

DATASET = "wild"


@dataclass(frozen=True)
class Line:
    """A line of the list."""

    number: int
    name: str
    numbers: tuple[float, ...]
    """No number; start and end; or start, end, x and y."""


class WildReader(Reader):
    """Every clip of a list; each file is an identity.

    Args:
        source: The list.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: A line cannot be read, matches no file or is there twice, or the list is empty.
    """

    def __init__(self, source: str | Path):
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"no list {str(source)!r} of clips")
        lines = [_line(fields, f"{path}, line {number}", number) for number, fields in read_rows(path, comment="#")]
        if not lines:
            raise ValueError(f"{path}: no clip in the list")
        files = _find_files(path, lines)
        taken: set[str] = set()
        self.recordings = [_recording(line, file, taken) for line, file in zip(lines, files, strict=True)]


def _line(fields: list[str], where: str, number: int) -> Line:
    name, *texts = fields
    try:
        values = tuple(float(text) for text in texts)
        if len(values) not in (0, 2, 4) or (values and not 0 <= values[0] < values[1]):
            raise ValueError("expected a path, path,start,end or path,start,end,x,y")
        if not all(map(math.isfinite, values)):
            raise ValueError("expected finite numbers")
        if not all(0 <= place <= 1 for place in values[2:]):
            raise ValueError("expected x and y as shares of the picture, from 0 to 1")
    except ValueError as error:
        raise ValueError(f"{where}: {','.join(fields)!r}: {error}") from error
    return Line(number, name, values)


def _find_files(source: Path, lines: list[Line]) -> list[Path]:
    """The file of each line.

    Raises:
        ValueError: Lines match no file, or name the same part of the same file.
    """
    finder = FileFinder(source.parent)
    found = [(line, finder.find(line.name) if line.name else None) for line in lines]
    files = [file for _, file in found if file is not None]
    if lost := [f"{line.name!r} (line {line.number})" for line, file in found if file is None]:
        raise ValueError(
            f"{source}: {len(lost)} of {len(lines)} lines match no file: {listed(lost)}: correct or delete these lines"
        )
    parts: dict[tuple[Path, tuple[float, ...]], Line] = {}
    firsts = [parts.setdefault((file.resolve(), line.numbers), line) for line, file in zip(lines, files, strict=True)]
    twice = [(first, line) for first, line in zip(firsts, lines, strict=True) if first is not line]
    if twice:
        named = listed([f"{line.name!r} (lines {first.number} and {line.number})" for first, line in twice])
        raise ValueError(
            f"{source}: {len(twice)} of {len(lines)} lines repeat an earlier one: {named}: expected each clip once"
        )
    return files


def _recording(line: Line, path: Path, taken: set[str]) -> FileRecording:
    name = line.name.replace("\\", "/")
    relative = Path(name).name if Path(name).is_absolute() else name
    key = unique_key(identity := file_key(Path(relative.replace("../", ""))), taken)
    values = line.numbers
    return FileRecording(
        key=key,
        dataset=DATASET,
        identity=identity,
        split="test",
        path=path,
        start=values[0] if values else 0.0,
        stop=values[1] if values else None,
        point=(values[2], values[3]) if len(values) == 4 else None,
    )
