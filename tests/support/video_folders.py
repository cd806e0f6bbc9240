"""Folders of small videos, and `s2tf evaluate videos` on them."""

import csv
import json

import numpy as np

from s2tf.cli import main
from s2tf.media.video_writer import VideoWriter

SIZE, FRAMES = 64, 12


def talking(seed: int, frames: int = FRAMES, size: int = SIZE, fps: float = 25) -> np.ndarray:
    """Smooth pictures (T, size, size, 3) with something that moves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    phase = rng.uniform(0, 6, 3)
    time = np.arange(frames)[:, None, None] * 25 / fps
    waves = [np.sin(6 * x + phase[c])[None] + np.cos(5 * y[None] + time / 5) for c in range(3)]
    return (127 + 50 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)


def noisy(frames: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, strength, frames.shape)
    return (frames + noise).clip(0, 255).astype(np.uint8)


def write(path, frames: np.ndarray, fps=25, sound="tone") -> None:
    """A video with a tone, or another sound (S,) at 16 kHz; None for a file without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(sound, str):
        sound = 0.1 * np.sin(np.arange(int(len(frames) * 16000 / fps)) / 20).astype(np.float32)
    with VideoWriter(path, frames.shape[1:3], fps, sound, crf=1) as video:
        for frame in frames:
            video.write(frame)


def evaluate(folder, *more, made="made", true="true") -> int:
    reference = [] if true is None else [str(folder / true)]
    return status(["evaluate", "videos", folder / made, *reference, "--metrics", "pixels", "--size", "64", *more])


def status(words) -> int:
    """Run the command line; returns its exit status, be it that argparse leaves the program."""
    try:
        return main([str(word) for word in words])
    except SystemExit as left:
        return int(left.code or 0)


def read(path):
    return json.loads((path / "metrics.json").read_text())


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
