"""Random speech: phoneme strings with syllable rhythm, stress and pauses, laid out in time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.prepare.synthetic.phonemes import CONSONANT_INDICES, PHONEMES, VOWEL_INDICES

CONTROL_RATE = 200
"""Steps per second of every slow quantity (formants, amplitudes, visemes)."""


@dataclass(frozen=True)
class Timeline:
    """Phonemes in time; consecutive, from 0 to the end of the clip.

    Attributes:
        phoneme: (P,) index into `PHONEMES`.
        start: (P,) seconds.
        end: (P,) seconds.
        stress: (P,) 0 (pause or unstressed) to 1.
        phrase: (P,) position in its phrase, 0 to 1.
        seconds: Length of the clip.
    """

    phoneme: np.ndarray
    start: np.ndarray
    end: np.ndarray
    stress: np.ndarray
    phrase: np.ndarray
    seconds: float

    def at(self, times: np.ndarray) -> np.ndarray:
        """Position in the timeline (index into its arrays) at each time in seconds."""
        return np.clip(np.searchsorted(self.start, times, side="right") - 1, 0, len(self.start) - 1)

    def transcript(self) -> list[dict[str, Any]]:
        """The phonemes with their times, as JSON values."""
        rows = zip(self.phoneme, self.start, self.end, strict=True)
        return [
            {"phoneme": PHONEMES[index].symbol, "start": round(float(start), 4), "end": round(float(end), 4)}
            for index, start, end in rows
        ]


def control_times(seconds: float) -> np.ndarray:
    """Times in seconds of the control steps that cover a clip, and one more, for interpolation."""
    return np.arange(int(np.ceil(seconds * CONTROL_RATE)) + 1) / CONTROL_RATE


def smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """Smooth (K,) or (K, C) at `CONTROL_RATE` along the first axis, by a Gaussian of standard deviation `seconds`."""
    reach = int(np.ceil(3 * seconds * CONTROL_RATE))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * CONTROL_RATE)) ** 2)
    kernel /= kernel.sum()
    columns = track.reshape(len(track), -1)
    # By hand: `np.pad` takes longer than the rest.
    padded = np.concatenate([columns[:1].repeat(reach, axis=0), columns, columns[-1:].repeat(reach, axis=0)])
    smoothed = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(smoothed, axis=1).reshape(track.shape)


def sample_timeline(seconds: float, rate: float, rng: np.random.Generator) -> Timeline:
    """Sample speech of a length in seconds at a speaking rate (1 is average): phrases of syllables between pauses."""
    rows: list[tuple[int, float, float, float]] = []
    elapsed = _add_pause(rows, min(rng.uniform(0.04, 0.2), 0.1 * seconds))
    while elapsed < seconds:
        elapsed += _add_phrase(rows, rate, rng)
        elapsed += _add_pause(rows, rng.uniform(0.18, 0.45) / rate)
    phoneme, duration, stress, phrase = (np.array(column) for column in zip(*rows, strict=True))
    end = np.minimum(np.cumsum(duration), seconds)
    start = np.concatenate([[0.0], end[:-1]])
    kept = start < seconds
    return Timeline(phoneme[kept].astype(int), start[kept], end[kept], stress[kept], phrase[kept], seconds)


def _add_pause(rows: list[tuple[int, float, float, float]], seconds: float) -> float:
    rows.append((0, seconds, 0.0, 0.0))
    return seconds


def _add_phrase(rows: list[tuple[int, float, float, float]], rate: float, rng: np.random.Generator) -> float:
    syllables = int(rng.integers(4, 10))
    offset = int(rng.integers(3))
    elapsed = 0.0
    for number in range(syllables):
        stress = float(rng.uniform(0.6, 1.0)) if (number + offset) % 3 == 0 else float(rng.uniform(0.0, 0.3))
        for index in _syllable(rng):
            stretch = 1.0 + (0.35 * stress if index in VOWEL_INDICES else 0.0)
            seconds = PHONEMES[index].seconds * stretch * float(rng.uniform(0.85, 1.15)) / rate
            # A closure shorter than two frames could fall between two frames.
            seconds = max(seconds, 0.085) if PHONEMES[index].closed else seconds
            rows.append((index, seconds, stress, (number + 0.5) / syllables))
            elapsed += seconds
    return elapsed


def _syllable(rng: np.random.Generator) -> list[int]:
    onset = [_any_of(CONSONANT_INDICES, rng)] if rng.uniform() < 0.9 else []
    coda = [_any_of(CONSONANT_INDICES, rng)] if rng.uniform() < 0.25 else []
    return [*onset, _any_of(VOWEL_INDICES, rng), *coda]


def _any_of(indices: tuple[int, ...], rng: np.random.Generator) -> int:
    """Choose as `rng.choice` does, in a fraction of its time."""
    return indices[int(rng.integers(len(indices)))]
