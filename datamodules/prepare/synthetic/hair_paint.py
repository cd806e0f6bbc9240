"""The look of hair: strands, locks and shine as a texture, and outlines that end in strands."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp
from datamodules.prepare.synthetic.face import framing
from datamodules.prepare.synthetic.hair import STYLES, Hair, Style, swept
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.raster import Cutout, Grid, blend, soften, warp
from datamodules.prepare.synthetic.shading import coarse
from datamodules.prepare.synthetic.speaker import Speaker
from datamodules.prepare.synthetic.strands import beside_parting, flow_of, relief

DEPTH = -0.1
"""Depth z in face units of the plane that the texture lies on."""
EDGE = 0.035
"""Half the width of the zone in which an outline dissolves into strands, in face units."""
SHORT_EDGE = 0.042
"""The same for short hair, whose hairline is sparser."""
SHARPNESS = 3.2
"""Factor from the softened outline minus the strands' thresholds to the share that is covered."""


class HairPaint:
    """The hair of a clip: behind the neck and over the skull."""

    def __init__(self, speaker: Speaker, scene: Scene, hair: Hair, grid: Grid, side: int):
        texture = hair_texture(speaker, grid)
        self.texture, self.dim = texture, _dimmed(texture)
        maps = grid.maps(scene.head.plane(DEPTH), side)
        short = STYLES[speaker.appearance.hair_style].strands == "short"
        self.radius = (SHORT_EDGE if short else EDGE) * framing(scene.size)[0] * side
        margin = int(np.ceil(self.radius)) + 1
        # Few pixels do with every second point.
        step = 2 if side < 200 else 1
        groups = [
            {str(k): points[::step] for k, points in enumerate(group)} for group in (hair.cap, hair.back, hair.bun)
        ]
        areas = [[Cutout(points, side, margin) for points in _placed(scene, group)] for group in groups]
        self.cap, self.back, self.bun = ([(area, area.inner(maps)) for area in group] for group in areas)

    def draw_back(self, picture: np.ndarray, index: int) -> None:
        """Draw what is behind the neck, in the head's shadow, and behind the crown."""
        for area, maps in self.back:
            self._draw(picture, area, self.dim, maps[index], index)
        for area, maps in self.bun:
            self._draw(picture, area, self.texture, maps[index], index)

    def draw_cap(self, picture: np.ndarray, index: int) -> None:
        """Draw what is over the skull and beside the face."""
        for area, maps in self.cap:
            self._draw(picture, area, self.texture, maps[index], index)

    def _draw(self, picture: np.ndarray, area: Cutout, texture: np.ndarray, placed: np.ndarray, index: int) -> None:
        part = picture[area.boxes[index]]
        moved = warp(texture, placed, part.shape)
        mask = soften(area.mask(index), self.radius)
        share = cv2.addWeighted(mask, SHARPNESS, cv2.extractChannel(moved, 3), -SHARPNESS, 127)
        blend(part, cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), share)


def _placed(scene: Scene, outlines: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(scene.head.outlines(outlines).values()) if outlines else []


def hair_texture(speaker: Speaker, grid: Grid) -> np.ndarray:
    """Paint strands and locks with a shine, (side, side, 4) uint8; the last channel holds the edges' thresholds."""
    looks = speaker.appearance
    style = STYLES[looks.hair_style]
    # The flow and the soft light are computed on few pixels, the strands on all.
    form = coarse(grid)
    x, y = form.axes()
    flow = flow_of(style, looks.hair_phase, looks.light, x, y)
    base, rough = _light(looks.light, x, y) * (1 - flow.shadow), _roughness(style, x, y)
    fields = [np.broadcast_to(field, base.shape) for field in (flow.turn, flow.row, base, flow.shine, rough)]
    turn, row, base, shine, rough = (_enlarged(np.ascontiguousarray(field, np.float32), grid) for field in fields)
    if swept(style):
        turn += 0.35 * (beside_parting(looks.hair_phase, *grid.axes()) > 0)
    fine, locks = relief([speaker.seed, speaker.index, 5], style, turn, row)
    light = base * (1 + 0.085 * fine + 0.1 * locks) + shine * clamp(0.9 + 0.5 * fine + 0.3 * locks, 0.1, 2)
    gloss = 24 * shine * (1 + 0.5 * fine)
    threshold = 127 + rough * clamp(34 * fine + 26 * locks, -83, 83)
    tones = [cv2.addWeighted(light, tone + 8.0, gloss, 1.0, 0.0, dtype=cv2.CV_8U) for tone in looks.hair]
    return cv2.merge((*tones, threshold.astype(np.uint8)))


def _enlarged(field: np.ndarray, grid: Grid) -> np.ndarray:
    return cv2.resize(field, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR)


def _light(direction: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Light from a side; darker at the face, where locks lie in each other's shadow, and towards the ends."""
    light = (1.0 + 0.2 * direction * x) * (1 - 0.12 * clamp(y, 0, 1.5))
    return light * (1 - 0.2 * np.exp(-(((np.abs(x) - 0.93) / 0.09) ** 2)) * clamp(2 * y + 1, 0, 1))


def _roughness(style: Style, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Strength of the thresholds: the hairline dissolves into strands, the outline against the wall less so."""
    outside = clamp(4 * (np.hypot(x, np.minimum(y, 0) * 0.9) - 0.98), 0, 1)
    return 1 - (0.35 if style.strands in ("short", "curly") else 0.7) * outside


def _dimmed(texture: np.ndarray) -> np.ndarray:
    """The texture in shadow."""
    dim = cv2.convertScaleAbs(texture, alpha=0.68)
    dim[:, :, 3] = texture[:, :, 3]
    return dim
