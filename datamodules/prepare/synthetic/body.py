"""Neck and clothes, painted once for a clip; they follow a part of the head's translation and never turn."""

from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp, spline
from datamodules.prepare.synthetic.face import Proportions, resting_jaw
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.looks import shade
from datamodules.prepare.synthetic.raster import SUBPIXEL, Grid, blend, warp
from datamodules.prepare.synthetic.shading import coarse, lit, spots
from datamodules.prepare.synthetic.speaker import Speaker

FOLDS = 18


class Body:
    """Neck and clothes of a clip."""

    def __init__(self, speaker: Speaker, scene: Scene, grid: Grid, side: int):
        # The rows from the hidden end of the neck on.
        first = int((0.38 - grid.top) * grid.resolution)
        rows = Grid(grid.left, grid.top + first / grid.resolution, grid.resolution, grid.width, grid.height - first)
        self.texture = body_texture(speaker, scene.size, rows)
        self.maps = rows.maps(scene.body.plane(0.0), side)
        self.tops = clamp(np.floor(self.maps[:, 1, 2]).astype(int), 0, side - 2).tolist()
        self.maps[:, 1, 2] -= self.tops

    def draw(self, picture: np.ndarray, index: int) -> None:
        """Draw a frame's body."""
        part = picture[self.tops[index] :]
        body = warp(self.texture, self.maps[index], part.shape)
        seen = cv2.cvtColor(cv2.extractChannel(body, 3), cv2.COLOR_GRAY2RGB)
        cv2.add(cv2.multiply(part, seen, scale=1 / 255), cv2.cvtColor(body, cv2.COLOR_RGBA2RGB), part)


def body_texture(speaker: Speaker, size: Proportions, grid: Grid) -> np.ndarray:
    """Paint neck, shoulders and clothes on black, (height, width, 4) uint8; the last channel is the wall's share."""
    shape = _outlines(speaker, size)
    form = coarse(grid)
    neck, cloth = (_fine(soft, grid) for soft in (_neck(speaker, size, form), _cloth(speaker, size, form, shape)))
    cover = grid.mask(shape.clothes)
    blend(neck, cloth, cover)
    if shape.lapels:
        collar = np.empty_like(neck)
        collar[:] = shade(speaker.appearance.clothes, 1.08)
        blend(neck, collar, grid.mask(*shape.lapels))
    body = np.zeros_like(neck)
    cover = np.maximum(grid.mask(shape.neck), cover)
    blend(body, neck, cover)
    return np.dstack([body, 255 - cover])


@dataclass(frozen=True)
class _Outlines:
    """Outlines in face units, (N, 2) each, and the line of the neckline."""

    neck: np.ndarray
    clothes: np.ndarray
    neckline: np.ndarray
    lapels: tuple[np.ndarray, ...]


def _outlines(speaker: Speaker, size: Proportions) -> _Outlines:
    man = speaker.gender == "male"
    half, chin = (0.66 if man else 0.5), size.length
    broad = 1.75 if man else 1.5
    # Each from the top or the middle to the picture's right, and its mirror image.
    throat = [(half, 0.35), (half - 0.02, chin - 0.2), (half + 0.02, chin + 0.12), (half + 0.3, chin + 0.34)]
    neck = np.concatenate([spline(np.array(throat), 6), [(broad, chin + 0.6), (broad, 3.2)]])
    deep = chin + 0.34 + 0.34 * speaker.appearance.neckline
    line = spline(np.array([(0, deep), (0.3, deep - 0.06), (0.56, chin + 0.27), (half + 0.12, chin + 0.16)]), 8)
    shoulder = [(half + 0.12, chin + 0.16), (half + 0.4, chin + 0.31), (broad, chin + 0.5), (broad + 0.32, chin + 0.9)]
    clothes = np.concatenate([line[:-1], spline(np.array(shoulder), 8), [(broad + 0.4, 3.4)]])
    lapel = np.array([[0.0, chin + 0.5], [0.66, chin + 0.2], [0.8, chin + 0.3], [0.46, chin + 0.78]])
    return _Outlines(
        neck=np.concatenate([neck, _mirrored(neck)]),
        clothes=np.concatenate([clothes, _mirrored(clothes)]),
        neckline=np.concatenate([_mirrored(line), line[1:]]),
        lapels=(lapel, _mirrored(lapel)) if man else (),
    )


def _mirrored(points: np.ndarray) -> np.ndarray:
    return (points * (-1, 1))[::-1]


def _softened(mask: np.ndarray, radius: float) -> np.ndarray:
    """A mask as numbers from 0 to 1, blurred by a radius in pixels."""
    return cv2.GaussianBlur(mask, (0, 0), radius).astype(np.float32) / 255


def _fine(soft: np.ndarray, grid: Grid) -> np.ndarray:
    size = (grid.width, grid.height)
    return cv2.resize(clamp(soft, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)


def _neck(speaker: Speaker, size: Proportions, grid: Grid) -> np.ndarray:
    """Lit skin of neck and chest in the chin's shadow."""
    looks = speaker.appearance
    x, y = grid.axes()
    half, chin = (0.66 if speaker.gender == "male" else 0.5), size.length
    round_x = clamp(x / (half + 0.25 * clamp(y - chin - 0.1, 0, 2)), -1, 1)
    light = 0.5 + 0.38 * np.sqrt(1 - 0.9 * round_x**2) + 0.2 * looks.light * round_x
    # Muscles run from behind the ears to the pit of the throat.
    run = clamp((y - chin + 0.1) / 0.5, 0, 1)
    light = light - 0.035 * np.exp(-(((np.abs(x) - half * (0.85 - 0.68 * run)) / 0.07) ** 2))
    light -= spots(x, y, ((0.07, 0, chin + 0.44, 0.09, 0.07),))
    # The chin's shadow, away from the light.
    jaw = resting_jaw(size)[:, :2] * (0.97, 1) + (-0.1 * looks.light, 0.2)
    shadow = grid.mask(np.concatenate([jaw, [(1.0, 0.0), (-1.0, 0.0)]]))
    return lit(looks.skin, light * (1 - 0.42 * _softened(shadow, 0.045 * grid.resolution)))


def _cloth(speaker: Speaker, size: Proportions, grid: Grid, shape: _Outlines) -> np.ndarray:
    """Cloth with folds, in the shadow of a hem along the neckline and, for men, of a collar."""
    looks = speaker.appearance
    rng = np.random.default_rng([speaker.seed, speaker.index, 11, looks.day])
    x, y = grid.axes()
    light = 0.94 + 0.12 * looks.light * clamp(x, -1.5, 1.5) - 0.14 * clamp(y - size.length - 0.4, 0, 1)
    light = light - 0.1 * clamp(np.abs(x) - 1.1, 0, 1)
    folds = rng.standard_normal((3, FOLDS), np.float32)
    light = light + 0.035 * cv2.resize(folds, (grid.width, grid.height), interpolation=cv2.INTER_CUBIC)
    hem = np.zeros((grid.height, grid.width), np.uint8)
    line = grid.pixels(shape.neckline + np.array([0, 0.03]))
    cv2.polylines(hem, [line], False, (255,), max(1, round(0.07 * grid.resolution)), cv2.LINE_AA, SUBPIXEL)
    light *= 1 - 0.3 * _softened(hem, 0.03 * grid.resolution)
    if shape.lapels:
        below = grid.mask(*(lapel + np.array([0, 0.04]) for lapel in shape.lapels))
        light *= 1 - 0.35 * _softened(below, 0.035 * grid.resolution)
    return np.array(looks.clothes, np.float32) * light[:, :, None]
