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


def _runs(decoder: TrackDecoder, begin: float, end: float | None) -> Iterator[_Run]:
    """Frames as runs, which end at a hole, a damaged packet, a change of format, and a restart of the clock."""
    held: list[av.AudioFrame] = []
    first = expected = 0.0
    place = (0, 0)
    for time, frame in decoder.frames(begin):
        time = expected if time is None else time
        now = (decoder.part, decoder.damage.packets)
        same = held and place == now and _format(frame) == _format(held[0])
        if held and not (same and abs(time - expected) <= MIN_GAP):
            yield _resample(first, held)
            held = []
        if not held:
            first = expected = time
        place = now
        held.append(frame)
        expected += frame.samples / frame.sample_rate
        if end is not None and expected >= end + MIN_GAP:
            break
    if held:
        yield _resample(first, held)


def _format(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _resample(time: float, frames: list[av.AudioFrame]) -> _Run:
    """One run at 16 kHz, its channels apart."""
    layout = frames[0].layout
    resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
    for frame in frames:
        # Frames follow one another within the run; their own rounded timestamps say nothing more.
        frame.pts = None
    blocks = [block.to_ndarray() for frame in (*frames, None) for block in resampler.resample(frame)]
    samples = np.concatenate(blocks, axis=1).reshape(-1, layout.nb_channels).T if blocks else np.zeros((1, 0))
    names = tuple(channel.name for channel in layout.channels)
    return _Run(time, samples.astype(np.float32, copy=False), names, frames[0].sample_rate)


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
