"""AVSpeech (Ephrat et al. 2018, "Looking to Listen"): segments of YouTube videos with the place of the speaker's face.

Its official page is "AVSpeech: Audio Visual Speech Dataset" at looking-to-listen.github.io/avspeech. The folder:

    SOURCE/avspeech_train.csv, SOURCE/avspeech_test.csv   as published, one of them or both: lines without a header of
                                                          YouTube id, start and end in seconds, x and y of the face's
                                                          centre as shares of the picture
    SOURCE/videos/<YouTube id>.<any suffix>               whole videos, and/or
    SOURCE/clips/<YouTube id>_<start>_<end>.<any suffix>  cut segments (`_` or `-` between the times)
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datamodules.prepare.files import FileRecording, find_videos, unique_key
from datamodules.prepare.recording import ABSENT, Reader, Recording, UnusableRecording
from datamodules.prepare.splits import HeldOut, assign_splits
from s2tf.tables.read_table import read_rows

DATASET = "avspeech"
HELD_OUT = HeldOut(val=0.01, test=0.0)
TABLES = {"train": "avspeech_train.csv", "test": "avspeech_test.csv"}
_CLIP = re.compile(r"(?P<id>.{11})_(?P<start>[0-9]+(?:\.[0-9]+)?)[_-](?P<end>[0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    video: str
    start: float
    end: float
    x: float
    y: float
    table: str
    """`train` or `test`."""


class AVSpeechReader(Reader):
    """Every segment of the tables; the speaker is the face nearest to the given point, as the paper says.

    The data set names no speakers: a video is an identity. `avspeech_test.csv` is the test split, the videos of
    `avspeech_train.csv` are divided into train and val; a video that is in both is used for test only. A segment whose
    video is not there, such as one that YouTube has deleted, is absent and no failure.

    Args:
        source: The folder.
        held_out: Share of the training videos held out for validation.

    Raises:
        FileNotFoundError: Both tables are missing, or both `videos` and `clips` are.
        ValueError: A line of a table cannot be read.
    """

    def __init__(self, source: str | Path, held_out: HeldOut = HELD_OUT):
        self.source = Path(source)
        rows = [row for table in TABLES for row in _read(self.source, table)]
        if not rows:
            raise FileNotFoundError(f"{self.source}: neither {' nor '.join(TABLES.values())}, or both are empty")
        folders = [self.source / "videos", self.source / "clips"]
        if not any(folder.is_dir() for folder in folders):
            raise FileNotFoundError(f"{self.source}: neither a folder 'videos' nor a folder 'clips'")
        self._videos = find_videos(folders[0])
        self._clips = _clips(folders[1])
        tests = {row.video for row in rows if row.table == "test"}
        taken: set[str] = set()
        recordings = [self._recording(row, taken, row.table == "train" and row.video in tests) for row in rows]
        self.recordings = assign_splits(recordings, held_out, test_set=tests)

    def _recording(self, row: Row, taken: set[str], leaks: bool) -> Recording:
        key = unique_key(f"{DATASET}-{row.video}-{round(row.start * 1000):08d}", taken)
        clip = self._clips.get((row.video, round(row.start, 2)))
        path = clip or self._videos.get(row.video)
        if path is None:
            return _unusable(key, row, ABSENT, f"no videos/{row.video}.* and no clips/{row.video}_{row.start:g}_*")
        if leaks:
            return _unusable(key, row, "split", f"its video is in {TABLES['test']} too")
        start, stop = (0.0, None) if clip is not None else (row.start, row.end)
        return FileRecording(
            key=key, dataset=DATASET, identity=row.video, path=path, start=start, stop=stop, point=(row.x, row.y)
        )


def _unusable(key: str, row: Row, step: str, reason: str) -> UnusableRecording:
    return UnusableRecording(key=key, dataset=DATASET, identity=row.video, step=step, reason=reason)


def _read(source: Path, table: str) -> Iterator[Row]:
    path = source / TABLES[table]
    if not path.is_file():
        return
    for number, fields in read_rows(path):
        try:
            video, start, end, x, y = fields
            row = Row(video, float(start), float(end), float(x), float(y), table)
            if not (re.fullmatch(r"[A-Za-z0-9_-]+", video) and 0 <= row.start < row.end < math.inf and _inside(row)):
                raise ValueError("out of range")
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: {fields}, expected YouTube id, start, end, x, y: {error}"
            ) from error
        yield row


def _inside(row: Row) -> bool:
    return 0 <= row.x <= 1 and 0 <= row.y <= 1


def _clips(folder: Path) -> dict[tuple[str, float], Path]:
    """The cut segments by video and start."""
    result = {}
    for name, path in find_videos(folder).items():
        if match := _CLIP.fullmatch(name):
            result[match["id"], round(float(match["start"]), 2)] = path
    return result
