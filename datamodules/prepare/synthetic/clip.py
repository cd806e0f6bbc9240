"""A clip of a synthetic speaker: pictures, sound, landmarks and their ground truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.prepare.synthetic.drawing import render
from datamodules.prepare.synthetic.face import proportions
from datamodules.prepare.synthetic.layers import make_scene
from datamodules.prepare.synthetic.motion import FRAME_RATE, Motion, sample_motion
from datamodules.prepare.synthetic.speaker import Speaker
from datamodules.prepare.synthetic.speech import sample_timeline
from datamodules.prepare.synthetic.voice import SAMPLE_RATE, synthesise

SIZE_RANGE = (64, 512)


@dataclass(frozen=True)
class SyntheticClip:
    """A clip at 25 frames a second and 16 kHz.

    Attributes:
        frames: (T, size, size, 3) uint8 RGB.
        waveform: (S,) float32 in [-1, 1].
        landmarks: (T, 68, 2) float32, iBUG order, x and y in pixels; 0 and `size` are the picture's edges.
        depth: (T, 68) float32, the landmarks' depth in pixels, away from the viewer.
        truth: The speaker's parameters, and the content of each frame, as JSON values.
    """

    frames: np.ndarray
    waveform: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray
    truth: dict[str, Any]


def render_clip(speaker: Speaker, seconds: float, size: int, seed: int) -> SyntheticClip:
    """Render a clip of a speaker; the same arguments always give the same clip.

    Words and head motion depend on the speaker and `seed` alone, not on `size`.

    Args:
        speaker: The person who speaks.
        seconds: Length; gives round(25 seconds) frames and round(16000 seconds) samples.
        size: Side of the picture in pixels, 64 to 512.
        seed: Seed of the words and the motion, 0 or more.

    Raises:
        ValueError: If `size` is out of range, `seed` is negative, or `seconds` is too short for a frame.
    """
    frames, samples = round(seconds * FRAME_RATE), round(seconds * SAMPLE_RATE)
    if not SIZE_RANGE[0] <= size <= SIZE_RANGE[1]:
        raise ValueError(f"size must be {SIZE_RANGE[0]} to {SIZE_RANGE[1]} pixels, got {size}")
    if frames < 1:
        raise ValueError(f"seconds must give at least one frame at {FRAME_RATE} fps, got {seconds}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    # Words, motion and sound, each with random numbers of its own.
    keys = [speaker.seed, speaker.index, seed]
    # The span of whole frames may reach a little beyond the sound, or the sound beyond it.
    span = max(frames / FRAME_RATE, samples / SAMPLE_RATE)
    timeline = sample_timeline(span, speaker.voice.rate, np.random.default_rng([*keys, 1]))
    motion = sample_motion(timeline, frames, np.random.default_rng([*keys, 2]))
    waveform = synthesise(speaker.voice, timeline, samples, np.random.default_rng([*keys, 3]))
    # The pictures, and the ground truth.
    scene = make_scene(proportions(speaker), motion)
    truth = {**speaker.truth(), "phonemes": timeline.transcript(), "frames": _frame_truth(motion)}
    landmarks, depth = ((points * size).astype(np.float32) for points in (scene.landmarks, scene.depth))
    return SyntheticClip(render(speaker, scene, size), waveform, landmarks, depth, truth)


def _frame_truth(motion: Motion) -> dict[str, Any]:
    """Per-frame lists: angles in degrees, shift in parts of the picture's side, the others from 0 (or -1) to 1."""
    viseme = dict(zip(("opening", "width", "rounding", "teeth"), motion.viseme.T, strict=True))
    pose = {name: _rounded(getattr(motion, name)) for name in ("yaw", "pitch", "roll", "zoom")}
    pose |= {"shift_x": _rounded(motion.shift[:, 0]), "shift_y": _rounded(motion.shift[:, 1])}
    return {
        "pose": pose,
        "blink": _rounded(motion.blink),
        "gaze": {"x": _rounded(motion.gaze[:, 0]), "y": _rounded(motion.gaze[:, 1])},
        "brow": _rounded(motion.brow),
        "viseme": {name: _rounded(track) for name, track in viseme.items()},
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
