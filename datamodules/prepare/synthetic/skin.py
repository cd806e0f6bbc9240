"""The skin of a face at rest: lit, with blush, hair's shadow, wrinkles, grain and beard; moving parts are left out."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp
from datamodules.prepare.synthetic.face import Proportions
from datamodules.prepare.synthetic.hair import Hair
from datamodules.prepare.synthetic.looks import shade
from datamodules.prepare.synthetic.raster import Grid
from datamodules.prepare.synthetic.shading import coarse, head_light, lit, spots
from datamodules.prepare.synthetic.speaker import Speaker

WRINKLES_SIDE = 288
"""Largest side in pixels at which wrinkles are computed; the finest are 2 pixels wide then."""


def skin_texture(speaker: Speaker, size: Proportions, hair: Hair, grid: Grid) -> np.ndarray:
    """Paint the skin on a grid that covers the picture, (side, side, 3) uint8."""
    # What is soft is computed on few pixels.
    soft = _soft_skin(speaker, size, hair, coarse(grid))
    colour: np.ndarray = cv2.resize(soft, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR)
    # What is fine is computed on all.
    relief = _grain(speaker, grid)
    if speaker.face.wrinkles > 0:
        lines = _wrinkles(*coarse(grid, min(grid.width, WRINKLES_SIDE)).axes(), size)
        relief -= speaker.face.wrinkles * cv2.resize(lines, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR)
    colour *= 1 + relief[:, :, None]
    if speaker.appearance.beard:
        _grow_beard(colour, speaker, size, grid)
    return clamp(colour, 0, 255).astype(np.uint8)


def _soft_skin(speaker: Speaker, size: Proportions, hair: Hair, form: Grid) -> np.ndarray:
    looks = speaker.appearance
    x, y = form.axes()
    light, gloss = head_light(size, form, looks.light)
    light *= 1 - 0.3 * _hair_shadow(hair, form)
    colour = lit(looks.skin, light)
    # Blood shows at cheeks, nose and chin, less in dark skin.
    middle = (0.7, 0, size.nose_y - 0.03, 0.2, 0.15), (0.4, 0, 0.93 * size.length, 0.2, 0.12)
    sides = (0.9, 0.58, 0.44 * size.length, 0.24, 0.2), (-0.25, size.eye_x, 0.15, 0.2, 0.07)
    blush = spots(x, y, middle, sides)
    strength = (0.4 + 0.6 * np.mean(looks.skin) / 215) * light
    colour += (strength * blush)[:, :, None] * np.array([7, -11, -9], np.float32)
    return colour + (22 * gloss)[:, :, None]


def _hair_shadow(hair: Hair, form: Grid) -> np.ndarray:
    """Shadow of the hair above the forehead and beside the cheeks, 0 to 1."""
    mask = form.mask(*(outline + np.array([0, 0.035, 0]) for outline in hair.cap))
    return cv2.GaussianBlur(mask, (0, 0), 0.05 * form.resolution).astype(np.float32) / 255


def _grain(speaker: Speaker, grid: Grid) -> np.ndarray:
    """Uneven colour and, on large pictures, pores: a relative change of the light."""
    rng = np.random.default_rng([speaker.seed, speaker.index, 8])
    spots = rng.standard_normal((24, 24)).astype(np.float32)
    relief = 0.012 * cv2.resize(spots, (grid.width, grid.height), interpolation=cv2.INTER_CUBIC)
    if grid.width > 128:
        pores: np.ndarray = rng.integers(0, 256, (192, 192), np.uint8)
        pores = cv2.resize(pores, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR)
        relief += (pores.astype(np.float32) - 128) * (0.035 / 128)
    return relief


def _wrinkles(x: np.ndarray, y: np.ndarray, size: Proportions) -> np.ndarray:
    """Depth of the lines of forehead, eyes, nose and mouth in the oldest face."""
    lines = np.zeros((y.shape[0], x.shape[1]), np.float32)

    def crease(distance: np.ndarray, width: float) -> np.ndarray:
        # The upper side is dark, the lower one catches the light.
        return np.exp(-((distance / width) ** 2)) - 0.45 * np.exp(-(((distance - 1.7 * width) / (1.3 * width)) ** 2))

    for number, height in enumerate((-0.45, -0.55, -0.65)):
        rows = _rows(y, height - 0.12, height + 0.12)
        line = crease(y[rows] - height + 0.04 * np.cos(3 * x + number) - 0.012 * np.sin(9 * x + 2 * number), 0.016)
        lines[rows] += line * np.exp(-((x / (0.5 - 0.03 * number)) ** 4))
    # The others are alike on both sides: the left half is mirrored.
    left = lines[:, : lines.shape[1] // 2]
    mirrored = -x[:, : left.shape[1]]
    rows = _rows(y, size.nose_y - 0.3, size.mouth_y + 0.45)
    lower = y[rows]
    down = (lower - size.nose_y + 0.08) / (size.mouth_y - size.nose_y + 0.2)
    place = size.nose_half + 0.06 + 0.26 * clamp(down, 0, 1) ** 1.3
    left[rows] += 0.95 * crease(place - mirrored, 0.026) * np.exp(-(((down - 0.5) / 0.52) ** 6))
    corner = size.mouth_half + 0.02 + 0.15 * (lower - size.mouth_y)
    around = np.exp(-(((lower - size.mouth_y - 0.19) / 0.1) ** 2))
    left[rows] += 0.6 * np.exp(-(((mirrored - corner) / 0.022) ** 2)) * around
    rows = _rows(y, -0.3, 0.36)
    eye = mirrored - size.eye_x
    left[rows] += 0.85 * crease(y[rows] - 0.17 + 0.1 * eye**2, 0.022) * np.exp(-(((eye - 0.02) / 0.2) ** 2))
    for slope in (-0.38, -0.02, 0.32):
        crow = crease(y[rows] - slope * (eye - 0.15) - 0.2 * (eye - 0.3) ** 2, 0.012)
        left[rows] += 0.7 * crow * np.exp(-(((eye - 0.32) / 0.085) ** 4))
    rows = _rows(y, -0.3, size.mouth_y + 0.45)
    lines[rows, -left.shape[1] :] = left[rows, ::-1]
    return 0.42 * clamp(lines, -0.5, 1.2) + spots(x, y, (), ((0.13, 0.7, 0.58 * size.length, 0.16, 0.2),))


def _rows(y: np.ndarray, low: float, high: float) -> slice:
    start, end = np.searchsorted(y[:, 0], (low, high))
    return slice(int(start), int(end))


def _grow_beard(colour: np.ndarray, speaker: Speaker, size: Proportions, grid: Grid) -> None:
    """Cover the skin with a beard or its shaved shadow, in place."""
    beard = speaker.appearance.beard
    x, y = grid.axes()
    rows = _rows(y, size.nose_y - 0.4, size.length + 0.4)
    cover = _beard_place(x, y[rows], size)
    rng = np.random.default_rng([speaker.seed, speaker.index, 7])
    full = beard > 0.6
    # Hairs point downwards; the shadow of shaved ones is points.
    high, wide = (rows.stop - rows.start), grid.width
    fine = min(wide, 224)
    hairs: np.ndarray = rng.standard_normal((max(2, round(high * fine / wide)), fine)).astype(np.float32)
    hairs = cv2.GaussianBlur(hairs, (0, 0), sigmaX=0.5, sigmaY=1.6 if full else 0.5)
    hairs = cv2.resize(hairs * (2.9 if full else 1.56), (wide, high), interpolation=cv2.INTER_LINEAR)
    part, skin = colour[rows], speaker.appearance.skin
    # Green tells the light: it changes little with blood and shadow.
    light = part[:, :, 1:2] * np.float32(1 / skin[1])
    if full:
        cover = clamp(cover * (1.35 * beard + 0.35 * hairs * (1 - cover)) - 0.06, 0, 0.97)
        light = light * (0.95 + 0.2 * hairs[:, :, None])
    else:
        cover = clamp(0.8 * beard * cover * (1 + 0.25 * hairs), 0, 1)
    tone = np.array(shade(speaker.appearance.brows, 1.05), np.float32) + 3
    part += cover[:, :, None] * (tone * light - part)


def _beard_place(x: np.ndarray, y: np.ndarray, size: Proportions) -> np.ndarray:
    """Share of each place that hairs may cover: moustache, cheeks below a falling line, chin; the lips are free."""
    mirrored = np.abs(x)
    lip = size.nose_y + 0.1
    cheek = size.mouth_y - 0.1 - 1.15 * np.maximum(mirrored - 0.5, 0) + 0.1 * np.maximum(0.5 - mirrored, 0)
    edge = np.where(mirrored < 0.36, lip, np.maximum(cheek, 0.1))
    edge = cv2.blur(edge.astype(np.float32), (2 * max(1, round(0.07 * x.shape[1] / 3.5)) + 1, 1))
    cover = 1 / (1 + np.exp(-clamp((y - edge) / 0.03, -30, 30)))
    return cover.astype(np.float32)
