"""Rendering: polygons and lines are painted onto a larger canvas, which is then averaged down."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from datamodules.prepare.synthetic.face import framing
from datamodules.prepare.synthetic.layers import Layer, Scene
from datamodules.prepare.synthetic.speaker import Speaker
from datamodules.prepare.synthetic.textures import background, hair_texture, skin_texture

SUBPIXEL = 4
DEPTHS = {"skin": 0.25, "hair": -0.1}
"""Depth z in face units of the plane that each texture lies on."""


def render(speaker: Speaker, scene: Scene, side: int) -> np.ndarray:
    """Render every frame of a scene as a picture of `side` pixels, (T, side, side, 3) uint8 RGB."""
    over = 3 if side < 96 else 2
    canvas_side = over * side
    textures = _textures(speaker, scene, min(side, 256))
    maps = {name: _warps(scene, DEPTHS[name], len(textures[name]), canvas_side) for name in textures}
    strokes = [_Stroke(layer, canvas_side, framing(scene.size)[0]) for layer in scene.layers]
    wall = background(speaker, canvas_side)
    frames = np.empty((len(scene.landmarks), side, side, 3), np.uint8)
    canvas, mask = np.empty_like(wall), np.empty(wall.shape[:2], np.uint8)
    with _one_thread():
        for index, frame in enumerate(frames):
            np.copyto(canvas, wall)
            for stroke in strokes:
                if stroke.texture is None:
                    stroke.draw(canvas, index)
                else:
                    stroke.paint(canvas, mask, textures[stroke.texture], maps[stroke.texture][index], index)
            cv2.resize(canvas, (side, side), frame, interpolation=cv2.INTER_AREA)
            cv2.convertScaleAbs(frame, frame, speaker.appearance.brightness)
    return frames


class _Stroke:
    """A layer in the fixed-point pixels of a canvas."""

    def __init__(self, layer: Layer, canvas_side: int, scale: float):
        unit = 1 << SUBPIXEL
        self.points = np.ascontiguousarray(np.rint((layer.points * canvas_side - 0.5) * unit), np.int32)
        self.texture = layer.colour if isinstance(layer.colour, str) else None
        self.colour = (255, 255, 255) if isinstance(layer.colour, str) else layer.colour
        self.thickness = max(1, round(layer.width * scale * canvas_side)) if layer.width else 0

    def draw(self, canvas: np.ndarray, index: int) -> None:
        points = self.points[index]
        if self.thickness:
            cv2.polylines(canvas, [points], False, self.colour, self.thickness, cv2.LINE_AA, SUBPIXEL)
        else:
            line = cv2.LINE_8 if self.texture else cv2.LINE_AA
            cv2.fillPoly(canvas, [points], self.colour, line, SUBPIXEL)

    def paint(self, canvas: np.ndarray, mask: np.ndarray, texture: np.ndarray, warp: np.ndarray, index: int) -> None:
        """Fill with a texture; only the box around the layer is warped, which is most of a frame's cost."""
        points = self.points[index]
        left, top = np.clip((points.min(axis=0) >> SUBPIXEL) - 1, 0, len(canvas) - 1).tolist()
        right, bottom = np.clip((points.max(axis=0) >> SUBPIXEL) + 3, 1, len(canvas)).tolist()
        part = mask[top:bottom, left:right]
        part.fill(0)
        self.draw(mask, index)
        moved = warp - [[0, 0, left], [0, 0, top]]
        box = (right - left, bottom - top)
        warped = cv2.warpAffine(texture, moved, box, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(warped, part, canvas[top:bottom, left:right])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run OpenCV on one thread: more cost more than they save on small pictures, and workers fill the cores anyway."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _textures(speaker: Speaker, scene: Scene, side: int) -> dict[str, np.ndarray]:
    return {
        "skin": skin_texture(speaker, scene.size, side),
        "hair": hair_texture(speaker, scene.size, side),
    }


def _warps(scene: Scene, depth: float, texture_side: int, canvas_side: int) -> np.ndarray:
    """The maps (T, 2, 3) from a texture's pixels to the canvas's, for `cv2.warpAffine`."""
    scale, origin = framing(scene.size)
    plane = scene.head.plane(depth)
    linear = plane[:, :, :2] * canvas_side / (scale * texture_side)
    start = (0.5 / texture_side - origin) / scale
    offset = (plane[:, :, :2] @ start + plane[:, :, 2]) * canvas_side - 0.5
    return np.concatenate([linear, offset[:, :, None]], axis=2)
