"""The background: a lit wall out of focus."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.speaker import Speaker


def background(speaker: Speaker, side: int) -> np.ndarray:
    """Paint the wall, (side, side, 3) uint8."""
    looks = speaker.appearance
    rng = np.random.default_rng([speaker.seed, speaker.index, 6, looks.day])
    y, x = np.mgrid[0:32, 0:32].astype(np.float32) / 31
    top, bottom = (np.array(colour, np.float32) for colour in looks.background)
    wall = top + (bottom - top) * y[:, :, None]
    glow = 1 + 0.25 * _blob(x, y, 0.5 + 0.4 * looks.light, 0.35, 0.45, 0.45) - 0.1
    for _ in range(3):
        glow += rng.uniform(-0.12, 0.12) * _blob(x, y, *rng.uniform(0, 1, 2), *rng.uniform(0.08, 0.3, 2))
    wall = np.clip(wall * glow[:, :, None], 0, 255)
    return np.clip(cv2.resize(wall, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _blob(x: np.ndarray, y: np.ndarray, at_x: float, at_y: float, wide: float, high: float) -> np.ndarray:
    return np.exp(-(((x - at_x) / wide) ** 2) - ((y - at_y) / high) ** 2)
