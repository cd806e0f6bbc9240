"""Files whose clock restarts, such as recordings joined end to end: their parts are placed one after the other."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer

from s2tf.media.container import naming, open_media, sound_track, states_length, video_track

JUMP_BACK = 0.1
"""Seconds by which a broadcast's clock must go back to count as restarted, as in FFmpeg's program."""
JUMP_BACK_GUESSED = 0.7
"""The same for other formats: where they store no time of decoding, FFmpeg's first guesses go back a little."""
JUMP_AHEAD = 10.0
"""Seconds that a broadcast's clock may skip within one part, as in FFmpeg's program."""
EARLY_END = 1.0
"""Seconds by which a file must end before the length that it states to count as broken off."""
RESTARTS = 0x0200
"""FFmpeg's flag for formats whose clock may jump in either direction (AVFMT_TS_DISCONT), such as MPEG-TS."""


@dataclass(frozen=True)
class Clock:
    """The parts of a file, each with a clock of its own."""

    offsets: tuple[float, ...] = (0.0,)
    """Seconds to add to the timestamps of each part, so that it follows the part before; 0 for the first."""
    borders: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """By index of the stream, the packets (counted within the stream) with which the second and later parts begin; a
    part in which the stream has none begins with the next part's."""
    restarts: tuple[float, ...] = ()
    """Seconds, on the first part's clock, at which the second and later parts begin."""
    missing: float = 0.0
    """Seconds by which the file ends before the length that it states, as a copy that was cut does."""

    @property
    def steady(self) -> bool:
        """True if the clock never restarts."""
        return len(self.offsets) == 1


def read_clock(path: str | Path, container: InputContainer, start: float = 0.0) -> Clock:
    """Find the parts of a file.

    The file's packets are read once more, without being decoded, unless its format excludes a restart. A Matroska file
    that is read from a later time is trusted, since the search would cost more than the part that is read.

    Args:
        path: The file.
        container: The same file, open; it is not moved.
        start: Seconds after the file's beginning at which reading begins.

    Raises:
        ValueError: The file cannot be read; the message names it.
    """
    restarting = bool(container.format.flags & RESTARTS)
    # The table of an MP4 holds durations, which cannot go back; a fragmented one has no such table.
    tabled = "mp4" in container.format.name and all(stream.frames > 0 for stream in _timed(container))
    if tabled or (start > 0 and not restarting):
        return Clock()
    status = Path(path).stat()
    return _read_clock(str(path), status.st_size, status.st_mtime_ns)


# A clip's pictures and its sound are read one after the other: they share one search.
@functools.lru_cache(maxsize=16)
def _read_clock(path: str, size: int, changed: int) -> Clock:
    with naming(path, "video"), open_media(path) as container:
        streams = _timed(container)
        if not streams:
            return Clock()
        search = _Search(streams, bool(container.format.flags & RESTARTS))
        search.add(_packets(container, streams))
        clock = search.clock()
        if clock.steady and container.duration and states_length(container):
            missing = container.duration / av.time_base - search.length
            clock = replace(clock, missing=missing if missing > EARLY_END else 0.0)
    return clock


def _timed(container: InputContainer) -> list[av.VideoStream | av.AudioStream]:
    """The tracks that are read, pictures first."""
    return [track for track in (video_track(container), sound_track(container)) if track is not None]


def _packets(container: InputContainer, streams: list[av.VideoStream | av.AudioStream]) -> Iterable[av.Packet]:
    """All packets up to the end, or up to the place that FFmpeg cannot pass."""
    try:
        yield from container.demux(streams)
    except (av.FFmpegError, EOFError):
        return


@dataclass
class _Extent:
    """First and last time of one stream within one part, in seconds of the part's own clock."""

    first: float = float("inf")
    last: float = float("-inf")

    def add(self, begin: float, end: float) -> None:
        self.first, self.last = min(self.first, begin), max(self.last, end)


class _Search:
    """Goes through a file's packets and notes where its clock restarts.

    Parts are counted once for the file. The first stream whose time jumps opens a part; each other stream enters it
    with its first packet that is nearer to the new clock than to the old one, since the last packets of a part may
    come after the first ones of the next.
    """

    def __init__(self, streams: list[av.VideoStream | av.AudioStream], restarting: bool):
        self.reference = streams[0].index
        self.restarting = restarting
        self.count = {stream.index: 0 for stream in streams}
        self.part = {stream.index: 0 for stream in streams}
        self.borders: dict[int, list[int]] = {stream.index: [] for stream in streams}
        self.latest: list[dict[int, float]] = [{}]
        self.expected: list[dict[int, float]] = [{}]
        self.extents: list[dict[int, _Extent]] = [{}]

    def add(self, packets: Iterable[av.Packet]) -> None:
        """Take all packets of the file."""
        for packet in packets:
            if packet.time_base is None or not packet.size:
                continue
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is not None:
                self._take(packet, float(stamp * packet.time_base))
            self.count[packet.stream.index] += 1

    def _take(self, packet: av.Packet, time: float) -> None:
        index = packet.stream.index
        if self.part[index] == len(self.extents) - 1 and self._jumps(index, time):
            for parts in (self.latest, self.expected, self.extents):
                parts.append({})  # type: ignore[attr-defined]
            self._enter_last(index)
        elif self.part[index] < len(self.extents) - 1 and self._is_of_last(index, time):
            self._enter_last(index)
        part = self.part[index]
        length = float((packet.duration or 0) * packet.time_base)
        self.latest[part][index] = max(time, self.latest[part].get(index, time))
        self.expected[part][index] = time + length
        shown = time if packet.pts is None else float(packet.pts * packet.time_base)
        self.extents[part].setdefault(index, _Extent()).add(shown, shown + length)

    def _enter_last(self, index: int) -> None:
        """Let a stream go on in the last part; parts in which it has no packet begin and end here."""
        last = len(self.extents) - 1
        self.borders[index] += [self.count[index]] * (last - self.part[index])
        self.part[index] = last

    def _jumps(self, index: int, time: float) -> bool:
        latest, expected = self.latest[-1], self.expected[-1]
        if index not in latest:
            return False
        if time < latest[index] - (JUMP_BACK if self.restarting else JUMP_BACK_GUESSED):
            return True
        # Where another stream has come as far, this one has a hole.
        others = [value for other, value in expected.items() if other != index]
        ahead = self.restarting and time > expected[index] + JUMP_AHEAD
        return ahead and not any(abs(time - value) <= JUMP_AHEAD for value in others)

    def _is_of_last(self, index: int, time: float) -> bool:
        """True if a packet of a stream that is still in an earlier part is nearer to the clock of the last one."""
        old = self.expected[self.part[index]]
        before = [old[index]] if index in old else list(old.values())
        after = list(self.expected[-1].values())
        return min(abs(time - value) for value in after) <= min((abs(time - value) for value in before), default=0.0)

    def clock(self) -> Clock:
        """The clock, after all packets were added."""
        offsets, restarts = [0.0], []
        for before, part in pairwise(self.extents):
            end = self._reference(before).last + offsets[-1]
            restarts.append(end)
            offsets.append(end - self._reference(part).first)
        last = len(self.extents) - 1
        borders = {
            index: (*numbers, *[self.count[index]] * (last - len(numbers))) for index, numbers in self.borders.items()
        }
        return Clock(tuple(offsets), borders, tuple(restarts))

    @property
    def length(self) -> float:
        """Seconds from the first to the last time of all streams, in a file of one part."""
        extents = self.extents[0].values() if self.extents else ()
        return max((e.last for e in extents), default=0.0) - min((e.first for e in extents), default=0.0)

    def _reference(self, part: dict[int, _Extent]) -> _Extent:
        """The extent of the pictures, or of the sound in a part without pictures."""
        return part.get(self.reference) or next(iter(part.values()))
