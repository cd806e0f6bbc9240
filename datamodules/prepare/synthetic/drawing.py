"""Rendering: the parts of a picture from back to front."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from datamodules.prepare.synthetic.body import Body
from datamodules.prepare.synthetic.curves import spline
from datamodules.prepare.synthetic.ears import Ears
from datamodules.prepare.synthetic.eyes import Eyes
from datamodules.prepare.synthetic.features import brows, nose
from datamodules.prepare.synthetic.hair import Hair, make_hair, skull
from datamodules.prepare.synthetic.hair_paint import HairPaint
from datamodules.prepare.synthetic.layers import Scene, picture_grid
from datamodules.prepare.synthetic.mouth import Mouth
from datamodules.prepare.synthetic.raster import Cutout, Grid, Tint, blend
from datamodules.prepare.synthetic.skin import skin_texture
from datamodules.prepare.synthetic.speaker import Speaker
from datamodules.prepare.synthetic.surface import Surface
from datamodules.prepare.synthetic.wall import background


def render(speaker: Speaker, scene: Scene, side: int) -> np.ndarray:
    """Render every frame of a scene as a picture of `side` pixels, (T, side, side, 3) uint8 RGB."""
    with _one_thread():
        wall = background(speaker, side)
        draw = _Drawing(speaker, scene, side)
        frames = np.empty((len(scene.landmarks), side, side, 3), np.uint8)
        for index, frame in enumerate(frames):
            np.copyto(frame, wall)
            draw(frame, index)
        rows = frames.reshape(-1, side)
        cv2.convertScaleAbs(rows, rows, speaker.appearance.brightness)
    return frames


class _Drawing:
    """All parts of a speaker in a scene; what does not move is painted here, once."""

    def __init__(self, speaker: Speaker, scene: Scene, side: int):
        grid, hair = picture_grid(scene.size, side), make_hair(speaker, scene.size)
        self.hair = HairPaint(speaker, scene, hair, grid, side)
        self.body = Body(speaker, scene, grid, side)
        self.ears = Ears(speaker, scene, side)
        self.skin = _Skin(speaker, scene, hair, grid, side)
        self.tints = (*nose(speaker, scene, side), *brows(speaker, scene, side, self.skin.texture, grid))
        self.eyes = Eyes(speaker, scene, side)
        self.mouth = Mouth(speaker, scene, side)

    def __call__(self, frame: np.ndarray, index: int) -> None:
        """Draw a frame onto its background."""
        self.hair.draw_back(frame, index)
        self.body.draw(frame, index)
        self.ears.draw(frame, index)
        self.skin.draw(frame, index, self.tints)
        self.eyes.draw(frame, index)
        self.mouth.draw(frame, index)
        self.hair.draw_cap(frame, index)


class _Skin:
    """The face from the crown to the moving jaw."""

    def __init__(self, speaker: Speaker, scene: Scene, hair: Hair, grid: Grid, side: int):
        self.texture = skin_texture(speaker, scene.size, hair, grid)
        jaw = spline(scene.face.jaw.astype(np.float32), 2 if side < 200 else 4)
        edges = scene.head.outlines({"jaw": jaw, "skull": skull(scene.size)[::-1]})
        self.area = Cutout(np.concatenate(list(edges.values()), axis=1), side)
        self.surface = Surface(scene, self.area, grid, side)
        self.canvas = np.zeros((side, side, 3), np.uint8)

    def draw(self, frame: np.ndarray, index: int, tints: tuple[Tint, ...]) -> None:
        """Lay the tinted skin over what is behind the face."""
        box = self.area.boxes[index]
        self.surface.warp(self.texture, index, self.canvas[box])
        for tint in tints:
            tint.draw(self.canvas, index)
        blend(frame[box], self.canvas[box], self.area.mask(index))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run OpenCV on one thread: more cost more than they save on small pictures, and workers fill the cores anyway."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
