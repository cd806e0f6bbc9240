"""HDTF (Zhang et al. 2021, "Flow-Guided One-Shot Talking Face Generation"): politicians and radio addresses.

Its official page is the repository MRzzm/HDTF. The folder:

    SOURCE/HDTF_dataset/{RD,WDA,WRA}_video_url.txt       as published: name, URL
    SOURCE/HDTF_dataset/{RD,WDA,WRA}_annotion_time.txt   name.mp4, 00:30-01:00, 01:30-02:30, ...
    SOURCE/HDTF_dataset/{RD,WDA,WRA}_crop_wh.txt         name_0.mp4, x, width, y, height
    SOURCE/HDTF_dataset/{RD,WDA,WRA}_resolution.txt      name.mp4, height of the video that the crop boxes belong to
    SOURCE/videos/<name>.<any suffix>                    whole videos (or <subset>_<name>), and/or
    SOURCE/clips/<name>_<index>.<any suffix>             clips cut by their times; a square one is already cropped
                                                         (or <subset>_<name>_<index in three digits>)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datamodules.prepare.files import FileRecording, find_videos
from datamodules.prepare.recording import ABSENT, LoadedClip, PrepareError, Reader, Recording, UnusableRecording
from datamodules.prepare.splits import HeldOut, assign_splits
from s2tf.media.notes import Note
from s2tf.tables.names import normal_name
from s2tf.tables.read_table import read_text

DATASET = "hdtf"
HELD_OUT = HeldOut()
SUBSETS = ("RD", "WDA", "WRA")
PIECE_SECONDS = 10.0
"""Longest piece: long clips are cut into pieces of equal length."""
ALIASES = {"Radio": "BarackObama"}
"""Names of the same speaker that the lists do not connect: most radio addresses are by the president."""
SEARCHED = Note("found without a crop box", "the data set has no crop box for this clip")


@dataclass(frozen=True)
class Region:
    """A crop box, and the height of the video that it belongs to."""

    x: int
    y: int
    side: int
    height: int | None

    def part(self, picture: np.ndarray) -> np.ndarray:
        """The part of a picture (H, W, 3) in the box, which is scaled to the picture's resolution.

        Raises:
            PrepareError: The box leaves the picture.
        """
        height, width = picture.shape[:2]
        scale = height / self.height if self.height else 1.0
        x, y, side = (round(value * scale) for value in (self.x, self.y, self.side))
        if side < 1 or x < 0 or y < 0 or x + side > width + 2 or y + side > height + 2:
            raise PrepareError(
                "crop", f"box {x} {y} {side} does not lie in the picture of {width}x{height} (meant for {self.height})"
            )
        # A copy: a view would keep the whole picture in memory.
        return picture[y : y + side, x : x + side].copy()


@dataclass(frozen=True, kw_only=True)
class HDTFRecording(FileRecording):
    """A piece of a clip, cropped to its box."""

    region: Region | None
    """The crop box; None: the data set has none for this clip."""

    def load(self) -> LoadedClip:
        """See `FileRecording.load`; fails at `crop` too."""
        if self.region is None:
            clip = self.read()
            return replace(clip, notes=(*clip.notes, SEARCHED))
        return self.read(self._crop)

    def _crop(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        return picture if width == height else self.region.part(picture)  # type: ignore[union-attr]


class HDTFReader(Reader):
    """Every clip of the lists, in pieces of up to ten seconds.

    The data set has known faults. Missing videos are counted as absent, videos without sound become named failures. A
    box for another resolution is scaled. If a clip has no box, the face is searched in the whole picture; the summary
    counts the clip.

    Names that differ only in a final number (`KevinBrady0`, `KevinBrady2`) are one identity. So are names of the same
    video (`WhipJimClyburn`, `JamesClyburn1`), and all of RD, which is mostly by one speaker.

    Args:
        source: The folder.
        held_out: Shares of the identities held out for validation and test.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: A line of a list cannot be read.
    """

    def __init__(self, source: str | Path, held_out: HeldOut = HELD_OUT):
        self.source = Path(source)
        self._videos = find_videos(self.source / "videos")
        self._clips = find_videos(self.source / "clips")
        self._identities = _identities(self.source)
        recordings = [item for subset in SUBSETS for item in self._subset(subset)]
        if not recordings:
            raise ValueError(f"{self.source / 'HDTF_dataset'}: no clip in the lists of {', '.join(SUBSETS)}")
        self.recordings = assign_splits(recordings, held_out)

    def _subset(self, subset: str) -> Iterator[Recording]:
        names, times, crops, heights = (
            _read_list(self.source / "HDTF_dataset" / f"{subset}_{kind}.txt")
            for kind in ("video_url", "annotion_time", "crop_wh", "resolution")
        )
        for name in names:
            spans = times.get(f"{name}.mp4", [])
            height = heights.get(f"{name}.mp4", [])
            if not spans:
                yield self._unusable(subset, name, "times", f"no times for {name}.mp4 in {subset}_annotion_time.txt")
            for index, span in enumerate(spans):
                start, stop = _span(span, f"{subset}_annotion_time.txt, {name}.mp4")
                box = crops.get(f"{name}_{index}.mp4")
                region = None if box is None else _region(box, height, f"{subset}_crop_wh.txt, {name}_{index}.mp4")
                yield from self._pieces(subset, name, index, start, stop, region)

    def _pieces(
        self, subset: str, name: str, index: int, start: float, stop: float, region: Region | None
    ) -> Iterator[Recording]:
        clip = self._clips.get(f"{name}_{index}") or self._clips.get(f"{subset}_{name}_{index:03d}")
        path = clip or self._videos.get(name) or self._videos.get(f"{subset}_{name}")
        identity = self._identities[name]
        if path is None or stop <= start:
            step, reason = (ABSENT, f"no videos/{name}.* and no clips/{name}_{index}.*")
            if stop <= start:
                step, reason = ("times", f"ends at {stop:g} s, before it starts at {start:g} s")
            yield self._unusable(subset, f"{name}_{index}", step, reason)
            return
        # A clip's own file begins at its start; a whole video begins at 0.
        origin = start if clip is not None else 0.0
        count = max(1, int(np.ceil((stop - start) / PIECE_SECONDS)))
        borders = np.linspace(start - origin, stop - origin, count + 1).tolist()
        for number in range(count):
            yield HDTFRecording(
                key=_key(f"{subset}_{name}_{index}_{number:03d}"),
                dataset=DATASET,
                identity=identity,
                path=path,
                start=borders[number],
                stop=borders[number + 1],
                region=region,
            )

    def _unusable(self, subset: str, name: str, step: str, reason: str) -> UnusableRecording:
        identity = self._identities[re.sub(r"_[0-9]+$", "", name)]
        return UnusableRecording(
            key=_key(f"{subset}_{name}"), dataset=DATASET, identity=identity, step=step, reason=reason
        )


def _key(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{DATASET}-{text}")


def _identities(source: Path) -> dict[str, str]:
    """The identity of every name in the lists; names of the same video share one."""
    result: dict[str, str] = {}
    of_video: dict[str, str] = {}
    united = dict(ALIASES)

    def name_of(identity: str) -> str:
        while identity in united:
            identity = united[identity]
        return identity

    for subset in SUBSETS:
        for name, words in _read_list(source / "HDTF_dataset" / f"{subset}_video_url.txt").items():
            result[name] = identity = re.sub(r"[0-9]+$", "", name) or name
            video = words[0] if words else name
            other = name_of(of_video.setdefault(video, identity))
            if (own := name_of(identity)) != other:
                united[own] = other
    return {name: name_of(identity) for name, identity in result.items()}


def _read_list(path: Path) -> dict[str, list[str]]:
    """The other words of each line of a list, by its first word."""
    if not path.is_file():
        raise FileNotFoundError(f"no list {path}, which the data set's repository holds")
    lines = (line.split() for line in normal_name(read_text(path)).splitlines())
    return {words[0]: words[1:] for words in lines if words}


def _span(text: str, where: str) -> tuple[float, float]:
    """`01:30-02:30` in seconds."""
    try:
        start, stop = (_seconds(part) for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f"{where}: time {text!r}, expected minutes:seconds-minutes:seconds") from error
    return start, stop


def _seconds(text: str) -> float:
    result = 0.0
    for part in text.split(":"):
        result = 60 * result + float(part)
    return result


def _region(box: list[str], height: list[str], where: str) -> Region:
    try:
        x, width, y, tall = map(int, box)
        if width != tall or width < 1:
            raise ValueError("not square")
        return Region(x, y, width, int(height[0]) if height else None)
    except ValueError as error:
        raise ValueError(f"{where}: {' '.join(box)}, expected x, width, y, height of a square: {error}") from error
