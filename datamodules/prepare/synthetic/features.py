"""Nose and brows: textures that multiply the skin's colours, each on its own plane in front of the face."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp, spline
from datamodules.prepare.synthetic.face import Proportions, framing
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.raster import Grid, Tint
from datamodules.prepare.synthetic.shading import SHADOW_TINT, spots
from datamodules.prepare.synthetic.speaker import Speaker

BROW_NEUTRAL = 64
"""8-bit value of the factor 1 for brows: grey ones may be lighter than the skin."""


def nose(speaker: Speaker, scene: Scene, side: int) -> tuple[Tint, Tint]:
    """Wings and nostrils on the plane of the nose's base, the ridge with its tip in front of them."""
    size, light = scene.size, speaker.appearance.light
    resolution = framing(size)[0] * max(side, 128)
    wide = 2.1 * size.nose_half + 0.12
    grid = Grid.over(-wide, -0.22, wide, size.nose_y + 0.26, resolution)
    base = _soft_edges(_base(*grid.axes(), size, light))
    ridge = _soft_edges(_ridge(*grid.axes(), size, light))
    # Each plane runs through the root of the nose; one holds the base's landmarks, the other the tip's.
    low, high = (
        Tint(_tinted(part), grid, scene.head.plane(0.4, (0.0, (z - 0.4) / size.nose_y)), side)
        for part, z in ((base, 0.56), (ridge, 0.77))
    )
    return low, high


def _base(x: np.ndarray, y: np.ndarray, size: Proportions, light: float) -> np.ndarray:
    """Light on flanks, wings and nostrils."""
    half, low = size.nose_half, size.nose_y
    factor = 1 - 0.15 * (1 + 0.5 * light) * _flank(x, y, size, -1) - 0.15 * (1 - 0.5 * light) * _flank(x, y, size, 1)
    # Wings: round, lit from above, with a crease behind them and a shadow beneath and beside them.
    below = (-0.3, 0.0, low + 0.025, 0.75 * half, 0.035), (-0.12, 0.07 * light, low + 0.09, 0.9 * half, 0.06)
    beside = (-0.14 * abs(light), 0.95 * half * np.sign(light), low - 0.06, 0.5 * half, 0.16)
    factor += spots(x, y, (*below, beside), ((0.08, 0.68 * half, low - 0.09, 0.26 * half, 0.045),))
    ring = np.hypot((np.abs(x) - 0.66 * half) / (0.4 * half), (y - low + 0.055) / 0.088)
    crease = np.exp(-(((ring - 1) / 0.2) ** 2)) * clamp((np.abs(x) - 0.6 * half) / (0.35 * half), 0, 1)
    factor -= 0.36 * crease * clamp(1.1 - (y - low + 0.055) / 0.12, 0, 1)
    # Nostrils.
    tilted = y - low - 0.004 + 0.12 * (np.abs(x) - 0.5 * half)
    hole = ((np.abs(x) - 0.5 * half) / (0.29 * half)) ** 2 + (tilted / 0.029) ** 2
    return factor * (1 - 0.68 * np.exp(-(hole**2)))


def _flank(x: np.ndarray, y: np.ndarray, size: Proportions, way: int) -> np.ndarray:
    """The side of the bridge, from the inner eye down to the wing."""
    down = clamp(y / size.nose_y, 0, 1)
    middle = way * (0.11 + (0.52 * size.nose_half - 0.02) * down**1.4)
    return np.exp(-(((x - middle) / (0.055 + 0.02 * down)) ** 2)) * np.exp(
        -(((y - 0.46 * size.nose_y) / (0.42 * size.nose_y)) ** 4)
    )


def _ridge(x: np.ndarray, y: np.ndarray, size: Proportions, light: float) -> np.ndarray:
    """Light on the bridge and the ball of the tip."""
    low, ball = size.nose_y - 0.1, 0.5 * size.nose_half
    along = np.exp(-(((y - 0.48 * low) / (0.55 * low)) ** 4))
    factor = 1 + 0.1 * along * np.exp(-(((x - 0.02 * light) / (0.03 + 0.12 * ball)) ** 2))
    ring = np.hypot(x / (1.15 * ball), (y - low) / 0.105)
    factor -= 0.13 * np.exp(-(((ring - 1) / 0.3) ** 2)) * (y > low - 0.03)
    glow = (
        (0.1, 0.1 * light * ball, low, 0.9 * ball, 0.075),
        (0.17, 0.25 * light * ball, low - 0.012, 0.2 * ball + 0.012, 0.02),
    )
    return factor + spots(x, y, glow)


def _tinted(factor: np.ndarray) -> np.ndarray:
    """Factors of red, green and blue for a change of light."""
    return factor[:, :, None] * (1 + clamp(1 - factor, 0, 1)[:, :, None] * SHADOW_TINT)


def _soft_edges(factor: np.ndarray) -> np.ndarray:
    """Let a tint end in 1 at its edges."""
    window = [clamp(6 * np.minimum(t, 1 - t), 0, 1) for t in (np.linspace(0, 1, n) for n in factor.shape)]
    return 1 + (factor - 1) * (window[0][:, None] * window[1]).astype(np.float32)


def brows(speaker: Speaker, scene: Scene, side: int, skin: np.ndarray, place: Grid) -> tuple[Tint, Tint]:
    """Both brows as hairs; they rise with the expression. `skin` is the texture of the skin, on the grid `place`."""
    size = scene.size
    resolution = framing(size)[0] * max(side, 96) * (1.5 if side < 256 else 1.0)
    high = 1.3 * size.brow_half + 0.03
    ridge = scene.face.brows[0, :5] + (0, 0.06 * scene.motion.brow[0], 0)
    top, bottom = ridge[:, 1].min() - high, ridge[:, 1].max() + high
    left, right = float(ridge[0, 0]), float(ridge[-1, 0])
    grid = Grid.over(left - 0.05, top, right + 0.05, bottom, resolution)
    cover = _hairs(speaker, size, grid, ridge)
    raised = np.stack([0 * scene.motion.brow, -0.06 * scene.motion.brow], axis=1)
    tints = []
    for way in (-1, 1):
        corner = place.pixels(np.array([[way * size.eye_x, size.brow_y]]))[0] >> 4
        below = skin[corner[1], corner[0]].astype(np.float32) + 1
        ratio = 1 + cover[:, :, None] * (np.array(speaker.appearance.brows, np.float32) / below - 1)
        # The brows' plane bends back at the temples: z falls from 0.48 at the inner to 0.28 at the outer end.
        slope = -way * 0.2 / (right - left)
        plane = scene.head.plane(0.48 - slope * way * abs(right), (slope, 0.0), raised)
        mine = grid if way < 0 else Grid(-right - 0.05, top, resolution, grid.width, grid.height)
        tints.append(Tint(ratio if way < 0 else ratio[:, ::-1], mine, plane, side, BROW_NEUTRAL))
    return tints[0], tints[1]


def _hairs(speaker: Speaker, size: Proportions, grid: Grid, ridge: np.ndarray) -> np.ndarray:
    """Share of each place that the left brow's hairs cover."""
    x, y = grid.axes()
    curve = spline(ridge, 6)
    along = clamp((x - ridge[0, 0]) / (ridge[-1, 0] - ridge[0, 0]), 0, 1)
    half = size.brow_half * (0.4 + 0.8 * along) * clamp(4.5 * (1.02 - along), 0.5, 1) + 0.004
    across = (y - np.interp(x, curve[:, 0], curve[:, 1]).astype(np.float32)) / half
    ends = clamp((x - ridge[0, 0] + 0.02) / 0.05, 0, 1) * clamp((ridge[-1, 0] + 0.02 - x) / 0.05, 0, 1)
    # Hairs rise at the inner end and lie down towards the temple; two sets of strands cross each other.
    rng = np.random.default_rng([speaker.seed, speaker.index, 9])
    lean = 0.5 - 2.6 * (1 - along)
    strands = rng.uniform(0, 1, 512).astype(np.float32)
    first = np.interp((x + across * half * lean) * 60 % 512, np.arange(512), strands)
    second = np.interp((x * 47 + across * half * (lean - 0.9) * 52 + 200) % 512, np.arange(512), strands)
    hairs = 0.5 * (first + second) + 0.35 * np.maximum(first, second)
    inside = clamp(1.65 - 1.25 * np.abs(across) ** 1.5, 0, 1)
    cover = clamp(1.7 * (inside * (0.55 + 0.7 * hairs) - 0.16), 0, 1) * ends
    return cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 0.45)
