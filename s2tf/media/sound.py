"""Sound of any file as 16 kHz mono, in step with its pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from s2tf.media.audio import SAMPLE_RATE
from s2tf.media.clock import read_clock
from s2tf.media.container import naming, open_media, sound_track, video_track
from s2tf.media.decoding import TrackDecoder
from s2tf.media.mending import check_finite, mend, mix
from s2tf.media.notes import Note, clock_notes, damage_notes

MIN_GAP = 0.05
"""Seconds; timestamps are rounded (to 1 ms in Matroska), so that only a longer hole or overlap is one."""


@dataclass(frozen=True)
class Sound:
    """The sound of a file."""

    waveform: np.ndarray
    """(S,) float32 in [-1, 1] at 16 kHz."""
    notes: tuple[Note, ...] = ()
    """Findings: `damaged`, `broken off`, `joined`, `format changes`, `several tracks`, and those of `mending`."""


def read_audio(
    path: str | Path, *, start: float = 0.0, max_seconds: float | None = None, origin: float | None = None
) -> np.ndarray:
    """The waveform of `read_sound`, (S,) float32 in [-1, 1] at 16 kHz."""
    return read_sound(path, start=start, max_seconds=max_seconds, origin=origin).waveform


def read_sound(
    path: str | Path, *, start: float = 0.0, max_seconds: float | None = None, origin: float | None = None
) -> Sound:
    """Read the sound track that a player plays as 16 kHz mono.

    The first sample is at the origin: sound that begins earlier is cut, sound that begins later is preceded by
    silence. With the origin of `s2tf.media.video.read_video`, sound and frames line up. Holes in the sound's
    timestamps become silence. Sample rate and channels may change within the file, its clock may restart, and damaged
    packets are passed over.

    Args:
        path: Any container that FFmpeg reads.
        start: Seconds after the origin at which reading begins.
        max_seconds: Read no more than this.
        origin: Timestamp of the file, in seconds, that counts as zero. None takes the start that the video track
            states (earlier than the first picture if that cannot be decoded), or the sound's if there is no video.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, has no sound track, or holds samples that are no finite numbers; the
            message names it.
    """
    path = Path(path)
    with naming(path, "sound"), open_media(path) as container:
        track = sound_track(container)
        if track is None:
            raise ValueError(f"{path} has no sound track")
        tracks = len(container.streams.audio)
        origin = _origin(container, track) if origin is None else origin
        begin = origin + start
        clock = read_clock(path, container, start)
        limit = _limit(container, track, begin, max_seconds) if clock.steady else max_seconds
        decoder = TrackDecoder(container, track, clock)
        runs = list(_runs(decoder, begin, None if limit is None else begin + limit))
    damage = decoder.damage
    if not runs and damage.packets:
        raise ValueError(f"cannot read the sound of {path}: {damage.cause}")
    notes = [*_track_note(tracks), *damage_notes("sound", damage, origin), *clock_notes(clock, origin)]
    notes += _format_note(runs, origin)
    waveform, mixed = mix(
        [(run.samples, run.channels) for run in runs], [round((run.time - begin) * SAMPLE_RATE) for run in runs]
    )
    waveform = waveform[: None if limit is None else round(limit * SAMPLE_RATE)]
    check_finite(waveform, path, start)
    waveform, mended = mend(waveform, path)
    return Sound(waveform, (*notes, *mixed, *mended))


@dataclass(frozen=True)
class _Run:
    """Sound without a hole and of one format."""

    time: float
    """The file's time of the first sample, in seconds."""
    samples: np.ndarray
    """(C, S) float32 at 16 kHz."""
    channels: tuple[str, ...]
    """FFmpeg's names of the channels."""
    rate: int
    """Samples a second in the file."""


class _OpenRun:
    """A run that goes on; its frames are resampled as they come, so that only 16 kHz is held."""

    def __init__(self, time: float, frame: av.AudioFrame, place: tuple[int, int]):
        self.time = self.expected = time
        self.format = _format(frame)
        self.layout = frame.layout
        self.rate = frame.sample_rate
        self.place = place
        self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
        self._blocks: list[np.ndarray] = []

    def continues(self, time: float, frame: av.AudioFrame, place: tuple[int, int]) -> bool:
        """True if the frame follows without a hole, in the same format, part and stretch without damage."""
        return place == self.place and _format(frame) == self.format and abs(time - self.expected) <= MIN_GAP

    def add(self, frame: av.AudioFrame) -> None:
        """Append a frame."""
        self.expected += frame.samples / frame.sample_rate
        # Frames follow one another within the run; their own rounded timestamps say nothing more.
        frame.pts = None
        self._resample(frame)

    def close(self) -> _Run:
        """The run, complete."""
        self._resample(None)
        samples = np.zeros((1, 0), np.float32)
        if self._blocks:
            samples = np.concatenate(self._blocks, axis=1).reshape(-1, self.layout.nb_channels).T
        names = tuple(channel.name for channel in self.layout.channels)
        return _Run(self.time, samples.astype(np.float32, copy=False), names, self.rate)

    def _resample(self, frame: av.AudioFrame | None) -> None:
        self._blocks += [block.to_ndarray() for block in self._resampler.resample(frame)]


def _runs(decoder: TrackDecoder, begin: float, end: float | None) -> Iterator[_Run]:
    """Frames as runs, which end at a hole, a damaged packet, a change of format, and a restart of the clock."""
    run: _OpenRun | None = None
    for stamp, frame in decoder.frames(begin):
        time = stamp if stamp is not None else run.expected if run is not None else 0.0
        place = (decoder.part, decoder.damage.packets)
        if run is not None and not run.continues(time, frame, place):
            yield run.close()
            run = None
        if run is None:
            run = _OpenRun(time, frame, place)
        run.add(frame)
        if end is not None and run.expected >= end + MIN_GAP:
            break
    if run is not None:
        yield run.close()


def _format(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _track_note(tracks: int) -> Iterator[Note]:
    if tracks > 1:
        yield Note("several tracks", f"{tracks} sound tracks; the one that players choose was read")


def _format_note(runs: list[_Run], origin: float) -> Iterator[Note]:
    changes = [
        f"{len(after.channels)} channels of {after.rate} Hz from {after.time - origin:.2f} s on"
        for before, after in pairwise(runs)
        if (before.channels, before.rate) != (after.channels, after.rate)
    ]
    if changes:
        yield Note("format changes", f"the sound changes its format: {changes[0]}")


def _limit(container: InputContainer, track: av.AudioStream, begin: float, max_seconds: float | None) -> float | None:
    """Seconds to read: those wanted, or an MP4's own length, since zeros fill its last AAC frame."""
    seconds = [] if max_seconds is None else [max_seconds]
    if "mp4" in container.format.name and track.duration and track.time_base:
        seconds.append(max(0.0, float(((track.start_time or 0) + track.duration) * track.time_base) - begin))
    return min(seconds, default=None)


def _origin(container: InputContainer, track: av.AudioStream) -> float:
    """Start of the video track in seconds, or of the sound where there is none."""
    stream = video_track(container) or track
    start, base = stream.start_time, stream.time_base
    return 0.0 if start is None or base is None else float(start * Fraction(base))
