"""Scores of generated motion against real motion: agreement of mouth and speech, amount of motion of eyes and head."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2tf.evaluation.measurement import Measurement
from s2tf.media.audio import FPS
from s2tf.metrics.blinks import CLOSED, count_blinks
from s2tf.metrics.correlation import mean_correlation, pearson

HEAD_BANDS = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0))
"""Bands in Hz; faster motion of the head is too small to be measured."""
LEAST_SECONDS = 2.0
"""Length of the shortest clip whose spectrum is computed: half a hertz is resolved."""
SEAM = 1.5
"""Largest step at a window's border that counts as smooth, as a multiple of the median step."""
LEAST_CLIPS = 8
"""Least number of clips of equal length: with fewer, the average step at a frame depends on the speech there."""
SPECTRUM = 0.3
"""Largest relative difference between the generated and the reference head's power that reaches the target."""


@dataclass(frozen=True)
class Signals:
    """The visible motion of T frames."""

    mouth: np.ndarray
    """(T,) opening of the mouth in outer-eye distances."""
    eyes: np.ndarray
    """(T,) opening of the eyes in outer-eye distances."""
    head: np.ndarray
    """(T, 4) placement."""


@dataclass(frozen=True)
class MotionClip:
    """One clip's reference motion and the motion generated for its speech."""

    landmarks: Signals
    """Read from the landmarks."""
    reference: Signals
    """Read from the reference codes, by the same reader as the generated codes."""
    generated: Sequence[Signals]
    """Motion of each seed."""
    wrong: Signals | None = None
    """Generated for another speaker's speech, as long as this clip."""
    steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T - 1,) `frame_steps` of the generated codes."""
    reference_steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T - 1,) `frame_steps` of the reference codes."""
    borders: Sequence[int] = ()
    """Frames b whose step to frame b + 1 is at the border of a window; empty if one window holds all frames."""


def band_power(signal: np.ndarray, low: float, high: float) -> float:
    """Compute the power of a signal (T,) at 25 Hz between two frequencies in Hz, including `high`, without its mean."""
    window = np.hanning(len(signal))
    spectrum = np.abs(np.fft.rfft((signal - signal.mean()) * window)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / FPS)
    return float(spectrum[(frequency > low) & (frequency <= high)].sum() / (window**2).sum() / len(signal))


def frame_steps(codes: np.ndarray) -> np.ndarray:
    """Compute the mean step (T - 1,), over motions and values, from frame to frame of codes (N, T, m)."""
    return np.abs(np.diff(codes, axis=1)).mean(axis=(0, 2))


@dataclass
class MotionScores:
    """Collects clips, one by one."""

    clips: list[MotionClip] = field(default_factory=list)

    def measurements(self, protocol: dict[str, Any]) -> list[Measurement]:
        """Compute the numbers; `truth` is the number of the reference codes, read in the same way."""
        return [
            self._mouth(protocol),
            self._blinks(protocol),
            *self._head(protocol),
            *self._seeds(protocol),
            *self._seams(protocol),
        ]

    def _mouth(self, protocol: dict[str, Any]) -> Measurement:
        generated, reference, wrong = (
            mean_correlation((signals.mouth, clip.landmarks.mouth) for clip in self.clips for signals in choose(clip))
            for choose in (_generated, _reference, _wrong)
        )
        return Measurement(
            "mouth correlation",
            generated.mean,
            protocol,
            wrong.mean,
            "wrong speech",
            reference.mean,
            counts={"clips": len(self.clips), "still": generated.still, "undefined": generated.undefined},
        )

    def _blinks(self, protocol: dict[str, Any]) -> Measurement:
        generated, reference, seen = (
            _per_minute([signals.eyes for clip in self.clips for signals in choose(clip)])
            for choose in (_generated, _reference, lambda clip: [clip.landmarks])
        )
        rule = {"blink": f"eyes below {CLOSED} of their median", "blinks per minute of the landmarks": round(seen, 2)}
        return Measurement("blinks per minute", generated, {**protocol, **rule}, truth=reference, higher_is_better=None)

    def _head(self, protocol: dict[str, Any]) -> list[Measurement]:
        """Measure the power of the head's motion by bands, and the difference of spectra, on long enough clips."""
        # Short clips have no low frequencies, and a head that never moves has no scale.
        long = [clip for clip in self.clips if len(clip.reference.mouth) >= LEAST_SECONDS * FPS]
        counts = {"clips": len(long), f"shorter than {LEAST_SECONDS} s": len(self.clips) - len(long)}
        if not long:
            return []
        scale = np.std(np.concatenate([clip.reference.head - clip.reference.head.mean(0) for clip in long]), axis=0)
        if not (scale > 0).any():
            return []
        rule = {"head": "placement, each value in its own deviation; power in Hann windows of a clip"}

        # A row for each band, and sums over all bands for the difference of spectra.
        rows, difference, whole = [], 0.0, 0.0
        for low, high in HEAD_BANDS:
            generated, reference = (
                _head_power([signals.head for clip in long for signals in choose(clip)], scale, low, high)
                for choose in (_generated, _reference)
            )
            name = f"head power, {low:g} to {high:g} Hz, of the true"
            values = generated / reference, {**protocol, **rule}, 0.0, "no motion", 1.0
            rows.append(Measurement(name, *values, higher_is_better=None, counts=counts))
            difference, whole = difference + abs(generated - reference), whole + reference
        spectrum = Measurement(
            "head spectrum's difference, of the true power",
            difference / whole,
            {**protocol, **rule, "bands (Hz)": [list(band) for band in HEAD_BANDS]},
            1.0,
            "no motion",
            0.0,
            target=SPECTRUM,
            target_rule="30 %",
            higher_is_better=False,
            counts=counts,
        )
        return [spectrum, *rows]

    def _seeds(self, protocol: dict[str, Any]) -> list[Measurement]:
        """Measure the similarity of the motions of different seeds."""
        several = [clip for clip in self.clips if len(clip.generated) > 1]
        if not several:
            return []
        return [
            _between_seeds("mouth", several, lambda signals: signals.mouth[:, None], protocol, higher=True),
            _between_seeds("head", several, lambda signals: signals.head, protocol, higher=False),
        ]

    def _seams(self, protocol: dict[str, Any]) -> list[Measurement]:
        """Measure the largest step at the borders of windows, as a multiple of the median step.

        Steps are averaged over clips of equal length, since in a single clip the speech at a border moves the mouth as
        much as the speech anywhere else.
        """
        groups: dict[int, list[MotionClip]] = {}
        for clip in self.clips:
            if clip.borders:
                groups.setdefault(len(clip.steps), []).append(clip)
        counted = [clips for clips in groups.values() if len(clips) >= LEAST_CLIPS]
        if not counted:
            return []
        rule = {"seam": f"steps averaged over {LEAST_CLIPS} or more clips of one length; the largest at a border"}
        clips = sum(map(len, counted))
        return [
            Measurement(
                "step at a window's border, of the median",
                max(_border_step([clip.steps for clip in group], group[0].borders) for group in counted),
                {**protocol, **rule},
                truth=max(
                    _border_step([clip.reference_steps for clip in group], group[0].borders) for group in counted
                ),
                target=SEAM,
                target_rule="1.5 × the median step",
                higher_is_better=False,
                counts={"clips": clips, "of lengths too rare": sum(map(len, groups.values())) - clips},
            )
        ]


def _generated(clip: MotionClip) -> Sequence[Signals]:
    return clip.generated


def _reference(clip: MotionClip) -> Sequence[Signals]:
    return [clip.reference]


def _wrong(clip: MotionClip) -> Sequence[Signals]:
    return [] if clip.wrong is None else [clip.wrong]


def _head_power(heads: Sequence[np.ndarray], scale: np.ndarray, low: float, high: float) -> float:
    """Compute the mean power in a band over the moving values of placements (T, 4), each scaled by its deviation."""
    moving = scale > 0
    columns = (column for head in heads for column in (head[:, moving] / scale[moving]).T)
    return float(np.mean([band_power(column, low, high) for column in columns]))


def _between_seeds(
    name: str,
    clips: Sequence[MotionClip],
    columns: Callable[[Signals], np.ndarray],
    protocol: dict[str, Any],
    *,
    higher: bool,
) -> Measurement:
    """Compute the mean correlation of columns (T, n) between every two seeds of a clip."""
    values = [
        pearson(a, b)
        for clip in clips
        for one, other in itertools.combinations(clip.generated, 2)
        for a, b in zip(columns(one).T, columns(other).T, strict=True)
    ]
    known = [value for value in values if not math.isnan(value)]
    mean = float(np.mean(known)) if known else math.nan
    counts = {"clips": len(clips), "seeds": len(clips[0].generated)}
    return Measurement(f"{name} correlation between seeds", mean, protocol, higher_is_better=higher, counts=counts)


def _border_step(steps: Sequence[np.ndarray], borders: Sequence[int]) -> float:
    mean = np.mean(steps, axis=0)
    median = np.median(mean)
    return float(mean[list(borders)].max() / median) if median > 0 else math.nan


def _per_minute(eyes: Sequence[np.ndarray]) -> float:
    return sum(map(count_blinks, eyes)) / sum(map(len, eyes)) * FPS * 60
