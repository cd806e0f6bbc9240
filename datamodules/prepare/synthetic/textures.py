"""The soft parts of the picture: skin, hair and background, rendered once per clip and warped onto the head."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.face import Proportions, framing
from datamodules.prepare.synthetic.looks import shade
from datamodules.prepare.synthetic.speaker import Speaker


def face_grid(size: Proportions, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Face coordinates x and y, (side, side) each, of the pixels of a texture that covers the picture at rest."""
    scale, origin = framing(size)
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = (steps - origin[0]) / scale, (steps - origin[1]) / scale
    columns, rows = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return columns, rows


def skin_texture(speaker: Speaker, size: Proportions, side: int) -> np.ndarray:
    """Lit skin with sockets, cheeks, wrinkles and beard, (side, side, 3) uint8; moving parts are left out."""
    x, y = face_grid(size, side)
    light = _light(x, y, speaker.appearance.light) * (1 + _relief(x, y, size) + _wrinkles(x, y, size, speaker))
    colour = np.array(speaker.appearance.skin, np.float32) * light[:, :, None]
    blush = _blob(np.abs(x), y, 0.58, 0.46 * size.length, 0.26, 0.2) + 0.7 * _blob(x, y, 0, size.nose_y, 0.2, 0.14)
    colour += blush[:, :, None] * np.array([10, -9, -8], np.float32)
    if speaker.appearance.beard:
        cover = _beard_cover(x, y, size, speaker)[:, :, None]
        colour += cover * (np.array(shade(speaker.appearance.brows, 0.95), np.float32) * light[:, :, None] - colour)
    return np.clip(colour, 0, 255).astype(np.uint8)


def hair_texture(speaker: Speaker, size: Proportions, side: int) -> np.ndarray:
    """Strands that fall from the crown, with a shine, (side, side, 3) uint8."""
    x, y = face_grid(size, side)
    rng = np.random.default_rng([speaker.seed, speaker.index, 5])
    angle = np.arctan2(x - 0.3 * (speaker.appearance.hair_phase - 0.5), y + 1.7)
    strands = np.convolve(rng.standard_normal(400), np.ones(3) / 3, mode="same")
    strand = np.interp(angle, np.linspace(-1.6, 1.6, 400), strands).astype(np.float32)
    radius = np.hypot(x - 0.25 * speaker.appearance.light, 0.95 * y)
    shine = 0.32 * np.exp(-(((radius - 0.98) / 0.13) ** 2)) * (y < 0)
    light = 0.92 + 0.16 * speaker.appearance.light * x + 0.16 * strand + shine * (1 + 0.4 * strand)
    darker_down = 1 - 0.12 * np.clip(y, 0, 1.5)
    colour = (np.array(speaker.appearance.hair, np.float32) + 8) * (light * darker_down)[:, :, None]
    return np.clip(colour, 0, 255).astype(np.uint8)


def background(speaker: Speaker, side: int) -> np.ndarray:
    """A lit wall out of focus, (side, side, 3) uint8."""
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


def _light(x: np.ndarray, y: np.ndarray, direction: float) -> np.ndarray:
    """Lambert shading of an ellipsoid about the head."""
    normal_x, normal_y = x / 1.22, (y - 0.15) / 1.55
    normal_z = np.sqrt(np.clip(1 - normal_x**2 - normal_y**2, 0.06, 1))
    length = np.sqrt(0.55**2 * direction**2 + 0.4**2 + 0.8**2)
    lambert = (0.55 * direction * normal_x - 0.4 * normal_y + 0.8 * normal_z) / length
    return 0.62 + 0.42 * np.clip(lambert, 0, 1)


def _relief(x: np.ndarray, y: np.ndarray, size: Proportions) -> np.ndarray:
    """Shadow of sockets, nose and chin as a relative change of the light."""
    mirrored = np.abs(x)
    relief = -0.13 * _blob(mirrored, y, size.eye_x - 0.05, -0.1, 0.26, 0.13)
    relief -= 0.06 * _blob(mirrored, y, size.eye_x, 0.18, 0.22, 0.06)
    relief -= 0.10 * _blob(mirrored, y, size.nose_half + 0.04, size.nose_y - 0.12, 0.07, 0.2)
    relief -= 0.12 * _blob(x, y, 0, size.nose_y + 0.07, 0.2, 0.05)
    relief -= 0.12 * _blob(x, y, 0, size.mouth_y + 0.2 + 0.05 * size.lip, 0.22, 0.06)
    relief += 0.06 * _blob(x, y, 0, 0.3 * size.length, 0.07, 0.3)
    return relief + 0.05 * _blob(x, y, 0, -0.55, 0.5, 0.2)


def _wrinkles(x: np.ndarray, y: np.ndarray, size: Proportions, speaker: Speaker) -> np.ndarray:
    """Lines of the forehead, eyes, nose and mouth as a relative change of the light."""
    amount = speaker.face.wrinkles
    mirrored = np.abs(x)
    lines = np.zeros_like(x)
    for number, height in enumerate((-0.45, -0.56, -0.67)):
        crease = np.exp(-(((y - height + 0.05 * np.cos(3 * x + number)) / 0.018) ** 2))
        lines += crease * np.exp(-((mirrored / 0.5) ** 4))
    down = (y - size.nose_y + 0.08) / (size.mouth_y - size.nose_y + 0.2)
    fold = np.exp(-(((mirrored - size.nose_half - 0.06 - 0.26 * np.clip(down, 0, 1)) / 0.03) ** 2))
    lines += 0.9 * fold * np.exp(-(((down - 0.5) / 0.52) ** 6))
    lines += 0.9 * _blob(mirrored, y, size.eye_x + 0.02, 0.17 - 0.1 * (mirrored - size.eye_x) ** 2, 0.2, 0.025)
    for slope in (-0.35, 0.0, 0.35):
        crow = np.exp(-(((y - slope * (mirrored - size.eye_x - 0.15)) / 0.014) ** 2))
        lines += 0.7 * crow * np.exp(-(((mirrored - size.eye_x - 0.31) / 0.09) ** 4))
    corner = 0.34 + 0.15 * (y - size.mouth_y)
    lines += 0.6 * np.exp(-(((mirrored - corner) / 0.024) ** 2)) * _blob(x * 0, y, 0, size.mouth_y + 0.2, 1, 0.12)
    hollow = _blob(mirrored, y, 0.7, 0.58 * size.length, 0.16, 0.2)
    return -amount * (0.34 * np.clip(lines, 0, 1.3) + 0.12 * hollow)


def _beard_cover(x: np.ndarray, y: np.ndarray, size: Proportions, speaker: Speaker) -> np.ndarray:
    """Share of the skin that the beard hides, 0 to 1."""
    mirrored = np.abs(x)
    edge = np.where(mirrored < 0.45, size.nose_y + 0.1, 0)
    cheek = size.mouth_y - 0.06 - 1.3 * np.clip(mirrored - 0.5, 0, None)
    edge = np.where(mirrored < 0.45, edge, np.maximum(cheek, 0.1))
    cover = 1 / (1 + np.exp(-np.clip((y - edge) / 0.035, -30, 30)))
    cover = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), max(0.03 * x.shape[0] / 3.5, 0.3))
    grain = np.random.default_rng([speaker.seed, speaker.index, 7]).uniform(0.75, 1.0, x.shape)
    beard = speaker.appearance.beard
    return cover * grain * (0.95 * beard if beard > 0.6 else 0.75 * beard)
