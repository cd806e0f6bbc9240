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
class _Stretch:
    """The packets of one stream within one part; times are in seconds of the part's own clock."""

    number: int
    """The first packet, counted within the stream."""
    lag: float
    """Seconds by which the first packet lay behind the packets of the other streams."""
    first: float = float("inf")
    """Time at which the first frame is shown."""
    last: float = float("-inf")
    """Time at which the last frame ends."""
    latest: float = float("-inf")
    """Time of decoding of the latest packet."""
    expected: float = 0.0
    """Time of decoding of the packet that comes next."""


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
        self.parts: list[dict[int, _Stretch]] = [{}]

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
        last = len(self.parts) - 1
        if self.part[index] == last and self._jumps(index, time):
            self._open(index, time)
        elif self.part[index] < last and self._is_of_last(index, time):
            self.part[index] = last
        part = self.parts[self.part[index]]
        if index not in part:
            lag = max((other.expected for other in part.values()), default=time) - time
            part[index] = _Stretch(self.count[index], lag)
        stretch = part[index]
        length = float((packet.duration or 0) * packet.time_base)
        stretch.latest, stretch.expected = max(time, stretch.latest), time + length
        shown = time if packet.pts is None else float(packet.pts * packet.time_base)
        stretch.first, stretch.last = min(shown, stretch.first), max(shown + length, stretch.last)

    def _jumps(self, index: int, time: float) -> bool:
        part = self.parts[-1]
        if index not in part:
            return False
        if time < part[index].latest - (JUMP_BACK if self.restarting else JUMP_BACK_GUESSED):
            return True
        # Where another stream has come as far, this one has a hole.
        others = [other.expected for key, other in part.items() if key != index]
        ahead = self.restarting and time > part[index].expected + JUMP_AHEAD
        return ahead and not any(abs(time - value) <= JUMP_AHEAD for value in others)

    def _open(self, index: int, time: float) -> None:
        """Open a part with a packet of one stream.

        A stream that was silent until then may have come first, with packets that lay far behind the old clock.
        """
        old, new = self.parts[-1], {}
        for key, other in list(old.items()):
            nearer = abs(other.latest - time) < abs(other.latest - old[index].expected)
            if key != index and other.lag > JUMP_BACK_GUESSED and nearer:
                new[key] = old.pop(key)
                self.part[key] += 1
        self.parts.append(new)
        self.part[index] += 1

    def _is_of_last(self, index: int, time: float) -> bool:
        """True if a packet of a stream that is still in an earlier part is nearer to the clock of the last one."""
        old = self.parts[self.part[index]]
        before = [old[index]] if index in old else list(old.values())
        distances = [
            min((abs(time - stretch.expected) for stretch in part), default=0.0)
            for part in (before, self.parts[-1].values())
        ]
        return distances[1] <= distances[0]

    def clock(self) -> Clock:
        """The clock, after all packets were added."""
        offsets, restarts = [0.0], []
        for before, part in pairwise(self.parts):
            end = self._reference(before).last + offsets[-1]
            restarts.append(end)
            offsets.append(end - self._reference(part).first)
        return Clock(tuple(offsets), {index: self._borders(index) for index in self.count}, tuple(restarts))

    def _borders(self, index: int) -> tuple[int, ...]:
        """First packets of the second and later parts of a stream; a part without any begins with the next part."""
        borders: list[int] = []
        following = self.count[index]
        for part in reversed(self.parts[1:]):
            following = part[index].number if index in part else following
            borders.insert(0, following)
        return tuple(borders)

    @property
    def length(self) -> float:
        """Seconds from the first to the last time of all streams, in a file of one part."""
        stretches = self.parts[0].values()
        return max((one.last for one in stretches), default=0.0) - min((one.first for one in stretches), default=0.0)

    def _reference(self, part: dict[int, _Stretch]) -> _Stretch:
        """The stretch of the pictures, or of the sound in a part without pictures."""
        return part.get(self.reference) or next(iter(part.values()))
