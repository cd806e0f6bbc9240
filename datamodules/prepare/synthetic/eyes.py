"""Eyes: lids of the skin's colour that close over a shaded eyeball, lashes, iris."""

from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import band, between, clamp, spline
from datamodules.prepare.synthetic.face import Proportions, framing
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.looks import shade
from datamodules.prepare.synthetic.raster import Area, Grid, Shapes, blend, detail, soften, warp
from datamodules.prepare.synthetic.speaker import Speaker

IRIS = 0.11
"""Radius of the iris in face units."""
NEUTRAL = 128
"""8-bit value of shading that changes nothing."""
LID_TINTS = (("crease", (66, 56, 52)), ("under", (86, 76, 73)), ("bulge", (135, 130, 129)), ("rim", (146, 132, 130)))
"""Shading around the eyes as factors on the skin; the lid itself depends on the gender."""


class Eyes:
    """Both eyes of a clip, drawn together."""

    def __init__(self, speaker: Speaker, scene: Scene, side: int):
        over = detail(side)
        self.unit = framing(scene.size)[0] * side * over
        woman = speaker.gender == "female"
        points = _shapes(scene, woman, 1 if side < 200 else 4)
        self.area = Area(np.concatenate([points["lid"], points["under"], points["lashes"]], axis=1), side, 2, over)
        self.shapes = Shapes(self.area, points, dict.fromkeys(points, 2))
        # The eyeballs' surface is a plane here; it turns by a shift, alike in both eyes.
        grid = Grid.over(-0.86, -0.24, 0.86, 0.24, self.unit)
        self.eyeballs = eyeballs(speaker, scene.size, grid)
        # The upper lid covers a little of the iris.
        gaze = scene.motion.gaze * (0.42 * scene.size.eye_width, 0.35 * scene.size.eye_height) - (0.0, 0.012)
        self.maps = self.area.inner(grid.maps(scene.head.plane(0.32, moved=gaze), side * over), enlarged=True)
        self.lashes = (34, 24, 22) if woman else shade(speaker.appearance.skin, 0.18)
        lid = (116, 108, 110) if woman else (122, 116, 114)
        # Few pixels show no more than the fold and the shadow below.
        self.tints = (("lid", lid), *(LID_TINTS if side >= 96 else LID_TINTS[:2]))

    def draw(self, picture: np.ndarray, index: int) -> None:
        """Draw a frame's eyes on the skin."""
        large = self.area.enlarged(picture, index)
        # Shading of the lids, as factors on the skin below.
        factor = np.full_like(large, NEUTRAL)
        for name, tint in self.tints:
            self.shapes.fill(factor, name, index, tint)
        cv2.multiply(large, soften(factor, 0.016 * self.unit), large, 1 / NEUTRAL)
        # The eyeball between the lids, in the upper one's shadow.
        mask = np.zeros(large.shape[:2], np.uint8)
        self.shapes.fill(mask, "opening", index, (255,))
        ball = warp(self.eyeballs, self.maps[index], large.shape)
        shadow = np.full_like(large, 150)
        self.shapes.fill(shadow, "clear", index, (255, 255, 255))
        cv2.multiply(ball, soften(shadow, 0.025 * self.unit), ball, 1 / 255)
        blend(large, ball, mask)
        self.shapes.fill(large, "lashes", index, self.lashes)
        self.area.put_back(picture, large, index)


def _shapes(scene: Scene, woman: bool, steps: int) -> dict[str, np.ndarray]:
    """Outlines around both eyes in the picture, (T, N, 2), the left eye's points before the right one's."""
    lids = np.concatenate([scene.face.upper_lids, scene.face.lower_lids], axis=1)
    fine = spline(lids.astype(np.float32), steps)
    frames, _, count, _ = fine.shape
    placed = scene.head.outlines({"lids": fine.reshape(frames, -1, 3)})["lids"].reshape(frames, 4, count, 2)
    upper, lower = placed[:, :2], placed[:, 2:]
    # A face unit to the right and down, in the picture.
    right, down = (scene.head.linear[:, None, None, :, axis].astype(np.float32) for axis in (0, 1))
    bow = (1 - np.abs(np.linspace(-1, 1, count, dtype=np.float32)) ** 2.3)[:, None]
    fold = bow * down
    # The crease above the upper lid follows a blink only by a quarter of its way.
    blink = scene.motion.blink[:, None, None, None].astype(np.float32)
    crease = upper - (0.975 * scene.size.eye_height * blink + 0.03) * fold - 0.03 * down
    tips = _lashes(bow[:, 0], woman)
    way = 1 - 1.7 * clamp(1.2 * blink - 0.1, 0, 1)
    lashes = upper - (tips.thick * np.where(way > 0, 1, 0.6) + tips.high * way) * down + tips.wide * right
    outlines = {
        "lid": band(crease, upper),
        "bulge": between(crease, upper, 0.3, 0.72),
        "crease": band(crease - 0.012 * fold, crease + 0.01 * fold),
        "under": band(lower + 0.006 * down, lower + 0.034 * fold + 0.008 * down),
        "rim": band(lower - 0.012 * fold, lower + 0.01 * fold),
        "opening": band(upper, lower),
        "clear": band(upper + 0.045 * fold, lower + 0.1 * down),
        "lashes": band(upper, lashes),
    }
    return {name: points.reshape(frames, -1, 2) for name, points in outlines.items()}


@dataclass(frozen=True)
class _Lashes:
    """Lashes of the upper lids in face units, (2, N, 1) each: the dark margin, and the tips above and beside it."""

    thick: np.ndarray
    high: np.ndarray
    wide: np.ndarray


def _lashes(bow: np.ndarray, woman: bool) -> _Lashes:
    """Short and long lashes in turn, the longest at the outer corner."""
    count = len(bow)
    outwards = np.stack([-np.linspace(-1, 1, count), np.linspace(-1, 1, count)])
    thick = (0.042 if woman else 0.028) * (0.55 + 0.45 * bow) + 0.006 * clamp(outwards, 0, 1)
    spikes = np.where(np.arange(count) % 2 == 1, (0.026 if woman else 0.008), 0.0)
    spikes = spikes * clamp(0.35 + 0.75 * outwards, 0.1, 1) * (0.8 + 0.2 * np.cos(5.0 * np.arange(count)))
    if woman:
        spikes[0, 1] += 0.055
        spikes[1, -2] += 0.055
    wide = spikes * np.array([[-1], [1]]) * (0.25 + 0.75 * clamp(outwards, -0.3, 1))
    return _Lashes(*(part[:, :, None].astype(np.float32) for part in (thick, spikes, wide)))


def eyeballs(speaker: Speaker, size: Proportions, grid: Grid) -> np.ndarray:
    """Paint both eyeballs that look straight ahead, (height, width, 3) uint8."""
    one = Grid.over(-0.24, grid.top, 0.24, grid.top + grid.height / grid.resolution, grid.resolution)
    ball = _eyeball(speaker, one)
    both = np.full((grid.height, grid.width, 3), 160, np.uint8)
    for way in (-1, 1):
        left = round((way * size.eye_x - 0.24 - grid.left) * grid.resolution)
        seen = both[: one.height, left : left + one.width]
        seen[:] = ball[: seen.shape[0], : seen.shape[1]]
    return both


def _eyeball(speaker: Speaker, grid: Grid) -> np.ndarray:
    x, y = grid.axes()
    radius = np.hypot(x, y) / IRIS
    # White: a ball, redder at the corners.
    white = clamp(1 - 0.2 * (x / 0.24) ** 2 - 0.15 * (y / 0.2) ** 2, 0.4, 1)[:, :, None]
    colour = white * np.array([248, 244, 240], np.float32)
    corner = clamp((np.abs(x) - 0.13) / 0.07, 0, 1) * np.ones_like(y)
    colour += corner[:, :, None] * np.array([-4, -24, -24], np.float32)
    edge = clamp((1.0 - radius) * IRIS * grid.resolution * 0.8 + 0.5, 0, 1)[:, :, None]
    colour += edge * (_iris(speaker, x, y, radius) - colour)
    # The window's reflection.
    side = 0.34 if speaker.appearance.light >= 0 else -0.34
    glint = clamp(1.35 - np.hypot(x / IRIS - side, y / IRIS + 0.3) / 0.24, 0, 1)
    glint += 0.35 * clamp(1 - np.hypot(x / IRIS + side, y / IRIS - 0.42) / 0.2, 0, 1)
    colour += clamp(glint, 0, 1)[:, :, None] * (252 - colour)
    return clamp(colour, 0, 255).astype(np.uint8)


def _iris(speaker: Speaker, across: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Iris with fibres, a dark ring around it and the pupil."""
    rng = np.random.default_rng([speaker.seed, speaker.index, 10])
    angle = np.arctan2(y, across)
    fibres = np.interp(angle, np.linspace(-np.pi, np.pi, 64), np.resize(rng.uniform(-1, 1, 63), 64))
    tone = 0.95 + 0.16 * fibres * clamp(radius, 0, 1) + 0.28 * clamp(y / IRIS, -0.4, 1)
    tone += 0.25 * np.exp(-(((radius - 0.55) / 0.14) ** 2))
    tone *= 1 - 0.7 * clamp((radius - 0.76) / 0.2, 0, 1)
    pupil = clamp((0.44 - radius) / 0.07, 0, 1)[:, :, None]
    colour = tone[:, :, None] * np.array(speaker.appearance.eyes, np.float32) * 1.12
    return (colour * (1 - pupil) + 10 * pupil).astype(np.float32)
