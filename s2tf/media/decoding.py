"""Pictures or blocks of sound of one track, with their times; damaged packets are passed over and counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer

from s2tf.media.clock import EARLY_END, Clock
from s2tf.media.container import explain, states_length

LEAD = 1.0
"""Seconds before the wanted time at which decoding begins, since the keyframe found may lie a little late."""


@dataclass
class Damage:
    """Damage met while one track was decoded."""

    packets: int = 0
    """Packets that could not be decoded."""
    at: float | None = None
    """The file's time, in seconds, of the first of them."""
    cause: str = ""
    """FFmpeg's words for the first of them."""
    doubtful: int = 0
    """Frames that FFmpeg decoded in part, or from packets that are not whole."""
    doubtful_at: float | None = None
    """The file's time, in seconds, of the first of them."""
    broken_off: bool = False
    """True if the track could not be read to its end."""
    end: float | None = None
    """The file's time, in seconds, at which the last frame ends, where the track was read to its end."""

    def doubt(self, at: float | None) -> None:
        """Count one frame that was decoded in part."""
        self.doubtful += 1
        if self.doubtful == 1:
            self.doubtful_at = at

    def add(self, error: BaseException, at: float | None) -> None:
        """Count one error; the first gives time and cause."""
        self.packets += 1
        if self.packets == 1:
            self.at, self.cause = at, explain(error)


class TrackDecoder:
    """Decodes one track of an open file.

    Args:
        container: The file.
        track: One of its tracks.
        clock: The file's clock.

    Attributes:
        damage: Damage met so far.
        part: The part of the file, counted from 0, that the latest frame belongs to.
    """

    def __init__(self, container: InputContainer, track: av.VideoStream | av.AudioStream, clock: Clock):
        self.container = container
        self.track = track
        self.clock = clock
        self.damage = Damage()
        self.part = 0
        self._last: float | None = None
        self._last_duration = 0.0

    def frames(self, begin: float = 0.0) -> Iterator[tuple[float | None, Any]]:
        """Decode from a time on.

        Args:
            begin: The file's time, in seconds, from which frames are wanted; earlier ones may come too.

        Yields:
            Times in seconds on the first part's clock, None for a frame without a timestamp, and the frames
            (`av.VideoFrame` or `av.AudioFrame`), in the order in which they are shown.
        """
        if self.clock.steady and begin > LEAD:
            self.container.seek(int((begin - LEAD) * av.time_base), backward=True)
        borders = self.clock.borders.get(self.track.index, ())
        self.part = number = 0
        for packet in self._packets():
            part = sum(number >= border for border in borders)
            if packet.size and part > self.part:
                # The decoder gives the frames that it holds while they still belong to the earlier part.
                if number:
                    yield from self._decode(None)
                    self.track.codec_context.flush_buffers()
                self.part = part
            # A broadcast's packet counters do not match at a joint, which is no damage.
            joint = bool(borders) and any(border - 2 <= number <= border for border in borders)
            number += bool(packet.size)
            yield from self._decode(packet, joint)
        self._end()

    def _packets(self) -> Iterator[av.Packet]:
        """The track's packets; an error in between ends them, and is counted."""
        try:
            yield from self.container.demux(self.track)
        except (av.FFmpegError, EOFError) as error:
            self.damage.broken_off = True
            self.damage.cause = self.damage.cause or explain(error)

    def _end(self) -> None:
        """Compare the last time with the one that the track states, which a file that was cut does not reach."""
        self.damage.end = None if self._last is None else self._last + self._last_duration
        start, length, base = self.track.start_time, self.track.duration, self.track.time_base
        stated = self.clock.steady and states_length(self.container)
        if stated and length and base and self.damage.end is not None:
            end = float(((start or 0) + length) * base)
            self.damage.broken_off = self.damage.broken_off or self.damage.end < end - EARLY_END

    def _decode(self, packet: av.Packet | None, joint: bool = False) -> Iterator[tuple[float | None, Any]]:
        """The frames that a packet completes; None gives those that the decoder still holds."""
        try:
            frames = self.track.codec_context.decode(packet)
        except EOFError:
            return
        except av.FFmpegError as error:
            at = None if packet is None else self._time(packet)
            self.damage.add(error, self._last if at is None else at)
            return
        for frame in frames:
            time = self._time(frame)
            self._last = self._last if time is None else time
            self._last_duration = float((frame.duration or 0) * (frame.time_base or 0))
            if frame.is_corrupt or (packet is not None and packet.is_corrupt and not joint):
                self.damage.doubt(self._last)
            yield time, frame

    def _time(self, timed: av.Packet | av.VideoFrame | av.AudioFrame) -> float | None:
        stamp = timed.pts if timed.pts is not None else timed.dts
        if stamp is None or timed.time_base is None:
            return None
        return float(stamp * timed.time_base) + self.clock.offsets[self.part]
