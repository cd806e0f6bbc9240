"""Sound that cannot be what was meant: noticed, mended where that is safe, else refused with the reason."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2tf.media.audio import SAMPLE_RATE
from s2tf.media.notes import Note

CANCELLED = 0.1
"""Share of the better channel's power; a mix with less has lost the speech."""
CANCELLED_SECONDS = 0.1
"""Share of the audible seconds of a run that may be cancelled before one channel is taken for the whole run."""
AUDIBLE = 1e-3
"""Share of the loudest second's power; quieter seconds are not judged."""
CENTRE, LOW = "FC", "LFE"
"""FFmpeg's names of the channels for speech and for low sounds."""
SIDE_WEIGHT = 0.7071
"""Weight of the other channels beside the centre's 1 (ITU-R BS.775)."""
TOO_LOUD = 2.0
"""A peak above this (6 dB over full scale) is no overshoot of a coder: the level is wrong."""
LOUD_SHARE = 1e-3
"""Share of the samples that must be too loud: fewer are single wild samples, and say nothing about the level."""
INTEGERS = 64.0
"""A peak above this (36 dB over full scale) comes from whole numbers that were never divided by their range."""
RANGES = (2**15, 2**23, 2**31)
"""Full scale of samples of 16, 24 and 32 bits."""
NEAR_SILENCE = -60.0
"""Decibels below full scale; speech is audible above."""
QUIET = -45.0
"""Decibels below full scale; speech in usual recordings is louder."""
FULL = 0.98
"""Samples above this share of full scale are clipped, or nearly."""
CLIPPED, SQUARE = 0.01, 0.25
"""Shares of clipped samples at which sound counts as clipped, and as no speech any more."""
BLOCK = SAMPLE_RATE // 50
"""Samples (20 ms) over which the level is measured."""


class SoundError(ValueError):
    """Sound that holds no usable speech; the message names file and reason."""


def mix(runs: Sequence[tuple[np.ndarray, tuple[str, ...]]], places: Sequence[int]) -> tuple[np.ndarray, list[Note]]:
    """Mix channels to one, and place runs of sound one after the other.

    Where the channels cancel each other, as in stereo with one channel inverted, the loudest channel is taken instead.

    Args:
        runs: Samples (C, S) of each run, and the names of its channels.
        places: Index of each run's first sample; sound before index 0 is cut, holes are silent, and where runs overlap
            the earlier one stays.

    Returns:
        (S,) float32, and what was done.
    """
    length = max((place + samples.shape[1] for (samples, _), place in zip(runs, places, strict=True)), default=0)
    waveform = np.zeros(max(0, length), np.float32)
    done = 0
    cancelled = False
    for (samples, names), place in zip(runs, places, strict=True):
        mono, lost = _mono(samples, names)
        cancelled = cancelled or lost
        begin, stop = max(place, done), place + len(mono)
        if stop > begin:
            waveform[begin:stop] = mono[begin - place :]
            done = stop
    note = Note("one channel", "the channels cancel each other; the louder one was taken")
    return waveform, [note] if cancelled else []


def _mono(samples: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, bool]:
    """The mix (S,) of channels (C, S); also True where they cancel each other and one channel was taken."""
    if len(samples) == 1:
        return samples[0], False
    weights = np.array([1.0 if name == CENTRE else 0.0 if name == LOW else SIDE_WEIGHT for name in names], np.float32)
    if len(weights) != len(samples) or not weights.any():
        weights = np.ones(len(samples), np.float32)
    mono = (weights / weights.sum()) @ samples
    powers = _powers(samples)
    best = int(np.argmax(powers.sum(axis=0)))
    # A mix of one loud and many silent channels is quiet, but whole: each channel counts with its weight.
    share = max(1e-3, float(weights[best] / weights.sum()) ** 2)
    audible = powers.max(axis=1) > AUDIBLE * powers.max()
    cancelled = _powers(mono[None])[:, 0] < CANCELLED * share * powers.max(axis=1)
    if np.count_nonzero(audible & cancelled) > CANCELLED_SECONDS * np.count_nonzero(audible):
        return samples[best], True
    return mono, False


def _powers(samples: np.ndarray) -> np.ndarray:
    """Power of each second of each channel, (seconds, C), of samples (C, S)."""
    borders = range(0, max(1, samples.shape[1]), SAMPLE_RATE)
    pieces = (samples[:, begin : begin + SAMPLE_RATE].astype(np.float64) for begin in borders)
    return np.array([np.square(piece).sum(axis=1) for piece in pieces])


def check_finite(waveform: np.ndarray, path: str | Path, start: float = 0.0) -> None:
    """Refuse samples that are no finite numbers.

    Raises:
        SoundError: A sample is NaN or infinite; names file and time.
    """
    finite = np.isfinite(waveform)
    if not finite.all():
        at = start + int(np.argmin(finite)) / SAMPLE_RATE
        raise SoundError(
            f"{path}: the sound is not finite (NaN or infinity) at {at:.2f} s, expected numbers: export it again"
        )


def mend(waveform: np.ndarray, path: str | Path) -> tuple[np.ndarray, list[Note]]:
    """Bring the level of a file's sound into [-1, 1], and note what is unusual about it.

    Args:
        waveform: (S,) float32, finite.
        path: The file, for messages.

    Returns:
        (S,) in [-1, 1], and notes of the kinds `rescaled`, `clipped` and `quiet`.

    Raises:
        SoundError: The values are beyond the range of 32-bit samples; names the file.
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    wild = np.flatnonzero(np.abs(waveform) > TOO_LOUD)
    notes = []
    if 0 < len(wild) <= LOUD_SHARE * len(waveform):
        text = f"{len(wild)} samples of up to {peak:.3g} were clipped, the first at {wild[0] / SAMPLE_RATE:.2f} s"
        notes.append(Note("rescaled", text))
    elif peak > INTEGERS:
        full = next((full for full in RANGES if peak <= full * 1.001), None)
        if full is None:
            raise SoundError(f"{path}: the sound holds samples of up to {peak:.3g}, expected numbers from -1 to 1")
        waveform = waveform / np.float32(full)
        notes.append(Note("rescaled", f"samples in the range of {full} were divided by it"))
    elif peak > TOO_LOUD:
        waveform = waveform / np.float32(peak)
        notes.append(Note("rescaled", f"samples of up to {peak:.3g} times full scale were divided by it"))
    waveform = np.clip(waveform, -1.0, 1.0)
    clipped, level = clipped_share(waveform), loud_level(waveform)
    if clipped > CLIPPED:
        notes.append(Note("clipped", f"{clipped:.0%} of the samples are at full scale"))
    if level < QUIET:
        notes.append(Note("quiet", f"its loud parts are {-level:.0f} dB below full scale"))
    return waveform, notes


def check_speech(waveform: np.ndarray) -> str | None:
    """The reason why a waveform (S,) in [-1, 1] cannot be speech, or None if it can.

    Silence, sound that is nearly silent, and sound of which a quarter is clipped are refused: no level brings the
    speech back.
    """
    if not len(waveform):
        return "is empty"
    if not waveform.any():
        return "is silent"
    level = loud_level(waveform)
    if level < NEAR_SILENCE:
        return f"is nearly silent: loud parts {-level:.0f} dB below full scale, expected at most {-NEAR_SILENCE:.0f}"
    clipped = clipped_share(waveform)
    if clipped > SQUARE:
        return f"is clipped: {clipped:.0%} of its samples are at full scale, expected less than {SQUARE:.0%}"
    return None


def loud_level(waveform: np.ndarray) -> float:
    """Level of the loud parts of a waveform (S,) in decibels: that of the loudest hundredth of its blocks of 20 ms."""
    if not len(waveform):
        return float("-inf")
    blocks = np.resize(waveform, (max(1, len(waveform) // BLOCK), min(BLOCK, len(waveform)))).astype(np.float64)
    power = float(np.quantile(np.mean(np.square(blocks), axis=1), 0.99))
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def clipped_share(waveform: np.ndarray) -> float:
    """Share of the samples (S,) that are at full scale, 0 to 1."""
    return float(np.mean(np.abs(waveform) > FULL)) if len(waveform) else 0.0
