"""How generated motion compares with real motion: how the mouth follows the speech, how often eyes and head move."""

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
"""In Hz; faster motion of the head is too small to be read."""
LEAST_SECONDS = 2.0
"""Of a clip whose spectrum is taken: half a hertz is resolved."""
SEAM = 1.5
"""Times the median step: what the step at a window's border may be."""
LEAST_CLIPS = 8
"""Of one length, for their average step at a frame to say something of windows and not of what is said there."""
SPECTRUM = 0.3
"""Of the true power: what the drawn head's may differ by."""


@dataclass(frozen=True)
class Signals:
    """What T frames of motion show."""

    mouth: np.ndarray
    """(T,) opening in outer-eye distances."""
    eyes: np.ndarray
    """(T,) likewise."""
    head: np.ndarray
    """(T, 4) placement."""


@dataclass(frozen=True)
class MotionClip:
    """One clip's speech, its true motion and what was drawn for the speech."""

    landmarks: Signals
    """The true ones."""
    true: Signals
    """Of the true frames' codes, read as the drawn ones are."""
    drawn: Sequence[Signals]
    """One for each seed."""
    wrong: Signals | None = None
    """For another speaker's speech, as long as this clip."""
    steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T - 1,) `frame_steps` of the drawn codes."""
    true_steps: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T - 1,) those of the true codes."""
    borders: Sequence[int] = ()
    """Where windows begin or end: b is the step from frame b to b + 1; empty where one window is all."""


def band_power(signal: np.ndarray, low: float, high: float) -> float:
    """Power of a signal (T,) at 25 a second between two frequencies in Hz, `high` included; its mean does not count."""
    window = np.hanning(len(signal))
    spectrum = np.abs(np.fft.rfft((signal - signal.mean()) * window)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / FPS)
    return float(spectrum[(frequency > low) & (frequency <= high)].sum() / (window**2).sum() / len(signal))


@dataclass
class MotionScores:
    """Collects clips, one by one."""

    clips: list[MotionClip] = field(default_factory=list)

    def measurements(self, protocol: dict[str, Any]) -> list[Measurement]:
        """The numbers; `truth` is that of the true codes, read alike."""
        return [
            self._mouth(protocol),
            self._blinks(protocol),
            *self._head(protocol),
            *self._seeds(protocol),
            *self._seams(protocol),
        ]

    def _seams(self, protocol: dict[str, Any]) -> list[Measurement]:
        """Steps at the borders of windows, averaged over clips of one length, and of the median frame's average step.

        What is said at a border moves the mouth as much as what is said elsewhere: one clip tells nothing.
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
                truth=max(_border_step([clip.true_steps for clip in group], group[0].borders) for group in counted),
                target=SEAM,
                target_rule="1.5 × the median step",
                higher_is_better=False,
                counts={"clips": clips, "of lengths too rare": sum(map(len, groups.values())) - clips},
            )
        ]

    def _mouth(self, protocol: dict[str, Any]) -> Measurement:
        drawn, true, wrong = (
            mean_correlation((signals.mouth, clip.landmarks.mouth) for clip in self.clips for signals in choose(clip))
            for choose in (lambda clip: clip.drawn, lambda clip: [clip.true], _wrong)
        )
        return Measurement(
            "mouth correlation",
            drawn.mean,
            protocol,
            wrong.mean,
            "wrong speech",
            true.mean,
            counts={"clips": len(self.clips), "still": drawn.still, "undefined": drawn.undefined},
        )

    def _blinks(self, protocol: dict[str, Any]) -> Measurement:
        drawn, true, seen = (
            _per_minute([signals.eyes for clip in self.clips for signals in choose(clip)])
            for choose in (lambda clip: clip.drawn, lambda clip: [clip.true], lambda clip: [clip.landmarks])
        )
        rule = {"blink": f"eyes below {CLOSED} of their median", "blinks per minute of the landmarks": round(seen, 2)}
        about = {**protocol, **rule}
        return Measurement("blinks per minute", drawn, about, truth=true, higher_is_better=None)

    def _head(self, protocol: dict[str, Any]) -> list[Measurement]:
        long = [clip for clip in self.clips if len(clip.true.mouth) >= LEAST_SECONDS * FPS]
        counts = {"clips": len(long), f"shorter than {LEAST_SECONDS} s": len(self.clips) - len(long)}
        if not long:
            return []
        scale = np.std(np.concatenate([clip.true.head - clip.true.head.mean(0) for clip in long]), axis=0)
        moving = scale > 0
        if not moving.any():
            return []
        rule = {"head": "placement, each value in its own deviation; power in Hann windows of a clip"}
        rows, difference, whole = [], 0.0, 0.0
        for low, high in HEAD_BANDS:
            drawn, true = (
                float(
                    np.mean(
                        [
                            band_power(column, low, high)
                            for clip in long
                            for signals in choose(clip)
                            for column in (signals.head[:, moving] / scale[moving]).T
                        ]
                    )
                )
                for choose in (lambda clip: clip.drawn, lambda clip: [clip.true])
            )
            name = f"head power, {low:g} to {high:g} Hz, of the true"
            values = drawn / true, {**protocol, **rule}, 0.0, "no motion", 1.0
            rows.append(Measurement(name, *values, higher_is_better=None, counts=counts))
            difference, whole = difference + abs(drawn - true), whole + true
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
        """How alike the draws of different seeds are."""
        several = [clip for clip in self.clips if len(clip.drawn) > 1]
        if not several:
            return []
        return [
            _between_seeds("mouth", several, lambda signals: signals.mouth[:, None], protocol, higher=True),
            _between_seeds("head", several, lambda signals: signals.head, protocol, higher=False),
        ]


def _between_seeds(
    name: str,
    clips: Sequence[MotionClip],
    columns: Callable[[Signals], np.ndarray],
    protocol: dict[str, Any],
    *,
    higher: bool,
) -> Measurement:
    values = [
        pearson(a, b)
        for clip in clips
        for one, other in itertools.combinations(clip.drawn, 2)
        for a, b in zip(columns(one).T, columns(other).T, strict=True)
    ]
    known = [value for value in values if not math.isnan(value)]
    mean = float(np.mean(known)) if known else math.nan
    counts = {"clips": len(clips), "seeds": len(clips[0].drawn)}
    return Measurement(f"{name} correlation between seeds", mean, protocol, higher_is_better=higher, counts=counts)


def frame_steps(codes: np.ndarray) -> np.ndarray:
    """(T - 1,) the mean step, over draws and values, from frame to frame of codes (N, T, m)."""
    return np.abs(np.diff(codes, axis=1)).mean(axis=(0, 2))


def _border_step(steps: Sequence[np.ndarray], borders: Sequence[int]) -> float:
    mean = np.mean(steps, axis=0)
    median = np.median(mean)
    return float(mean[list(borders)].max() / median) if median > 0 else math.nan


def _per_minute(eyes: Sequence[np.ndarray]) -> float:
    return sum(map(count_blinks, eyes)) / sum(map(len, eyes)) * FPS * 60


def _wrong(clip: MotionClip) -> list[Signals]:
    return [] if clip.wrong is None else [clip.wrong]
