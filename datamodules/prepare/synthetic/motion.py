"""The motion of a speaking face: mouth, blinks, gaze, brows and head, at 25 frames a second."""

from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.phonemes import CLOSED, VISEMES
from datamodules.prepare.synthetic.speech import CONTROL_RATE, Timeline, control_times, smooth

FRAME_RATE = 25
COARTICULATION = 0.028
"""Standard deviation in seconds of the smoothing over visemes; 66 ms between its half heights."""


@dataclass(frozen=True)
class Motion:
    """The moving quantities of each frame.

    Attributes:
        yaw: (T,) degrees, positive towards the picture's right; within 20.
        pitch: (T,) degrees, positive downwards; within 10.
        roll: (T,) degrees, positive clockwise; within 8.
        shift: (T, 2) translation in parts of the picture's side.
        zoom: (T,) factor on the head's size.
        blink: (T,) 0 open to 1 closed.
        gaze: (T, 2) direction of the irises, -1 to 1, x right and y down.
        brow: (T,) brow raise, 0 to 1.
        viseme: (T, 4) opening, width, rounding, teeth.
    """

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    shift: np.ndarray
    zoom: np.ndarray
    blink: np.ndarray
    gaze: np.ndarray
    brow: np.ndarray
    viseme: np.ndarray


def sample_motion(timeline: Timeline, frames: int, rng: np.random.Generator) -> Motion:
    """Sample the motion that belongs to a timeline; frame t shows the moment (t + 0.5) / 25 s."""
    times = control_times(timeline.seconds)
    moments = (np.arange(frames) + 0.5) / FRAME_RATE
    stress = smooth(timeline.stress[timeline.at(times)], 0.09)

    def wander(spread: float, limit: float, seconds: float) -> np.ndarray:
        return _sampled(limit * np.tanh(spread / limit * _noise(len(times), seconds, rng)), times, moments)

    emphasis = _sampled(stress, times, moments)
    nod = float(rng.uniform(1.0, 3.0))
    return Motion(
        yaw=wander(10.0, 20.0, 0.45),
        pitch=np.clip(wander(3.5, 7.0, 0.35) + nod * emphasis - 0.8, -10, 10),
        roll=wander(4.0, 8.0, 0.5),
        shift=np.stack([wander(0.022, 0.05, 0.5), wander(0.014, 0.03, 0.45)], axis=1),
        zoom=1.0 + wander(0.02, 0.04, 0.7),
        blink=_blinks(times, moments, rng),
        gaze=_gaze(times, moments, rng),
        brow=np.clip(0.8 * emphasis + wander(0.15, 0.3, 0.4), 0, 1),
        viseme=_sampled(_visemes(timeline, times), times, moments),
    )


def _visemes(timeline: Timeline, times: np.ndarray) -> np.ndarray:
    """Visemes at the control times, (K, 4), blended into their neighbours, with complete closures."""
    place = timeline.at(times)
    targets = VISEMES[timeline.phoneme[place]]
    targets[:, 0] *= 0.88 + 0.16 * timeline.stress[place]
    tracks = smooth(targets, COARTICULATION)
    # Blending alone would leave the lips apart between two open vowels.
    closed = CLOSED[timeline.phoneme[place]].astype(float)
    tracks[:, 0] *= 1.0 - np.clip(1.7 * smooth(closed, 0.018), 0.0, 1.0)
    return np.clip(tracks, (0, -1, 0, 0), 1)


def _noise(steps: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit variance, (steps,), smoothed by a Gaussian of standard deviation `seconds`."""
    # Sampled four smoothing lengths beyond both ends, since smoothing at an edge would raise the variance there.
    margin = int(4 * seconds * CONTROL_RATE)
    track = smooth(rng.standard_normal(steps + 2 * margin), seconds)[margin : margin + steps]
    return track * np.sqrt(2.0 * np.sqrt(np.pi) * seconds * CONTROL_RATE)


def _sampled(track: np.ndarray, times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """A track (K,) or (K, C) at the control times, interpolated at other moments."""
    columns = track.reshape(len(track), -1)
    values = np.stack([np.interp(moments, times, column) for column in columns.T], axis=1)
    return values.reshape(len(moments), *track.shape[1:])


def _blinks(times: np.ndarray, moments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    track = np.zeros(len(times))
    centre = float(rng.uniform(0.4, 4.0))
    while centre < times[-1] + 0.5:
        half = float(rng.uniform(0.08, 0.14))
        # A plateau of a whole frame, so that every blink has a frame with closed eyes.
        track = np.maximum(track, np.clip((half + 0.035 - np.abs(times - centre)) / half, 0, 1))
        centre += float(rng.uniform(2.0, 6.0))
    return _sampled(np.clip(1.25 * track, 0, 1), times, moments)


def _gaze(times: np.ndarray, moments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fixations of 0.4 to 1.6 s with quick jumps between them, (T, 2)."""
    track = np.zeros((len(times), 2))
    start = 0.0
    while start < times[-1] + 1e-9:
        target = np.clip(rng.normal(0.0, (0.35, 0.2)), -0.8, 0.8)
        track[times >= start] = target
        start += float(rng.uniform(0.4, 1.6))
    return _sampled(smooth(track, 0.012), times, moments)
