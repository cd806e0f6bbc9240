"""A plain list of clips to evaluate on, such as the paper's 50 test videos of AVSpeech; all are the test split.

The list is a text file. A line is a video's path, absolute or relative to the list; `,start,end` in seconds may follow,
then `,x,y`, the place of the speaker's face as shares of the picture. Lines that begin with # are skipped.
"""

from pathlib import Path

from datamodules.prepare.files import FileRecording, file_key, unique_key
from datamodules.prepare.recording import Reader

DATASET = "wild"


class WildReader(Reader):
    """Every clip of a list; each file is an identity.

    Args:
        source: The list.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: A line cannot be read, or the list is empty.
    """

    def __init__(self, source: str | Path):
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"no list {str(source)!r} of clips")
        taken: set[str] = set()
        lines = enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1)
        self.recordings = [
            _recording(line.strip(), path, number, taken)
            for number, line in lines
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not self.recordings:
            raise ValueError(f"{path}: no clip in the list")


def _recording(line: str, source: Path, number: int, taken: set[str]) -> FileRecording:
    name, *numbers = (field.strip() for field in line.split(","))
    try:
        values = [float(text) for text in numbers]
        if len(values) not in (0, 2, 4) or (values and not 0 <= values[0] < values[1]):
            raise ValueError("expected a path, path,start,end or path,start,end,x,y")
    except ValueError as error:
        raise ValueError(f"{source}, line {number}: {line!r}: {error}") from error
    path = source.parent / name
    relative = Path(name).name if Path(name).is_absolute() else name
    identity = file_key(Path(str(relative).replace("../", "")))
    key = unique_key(identity, taken)
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
