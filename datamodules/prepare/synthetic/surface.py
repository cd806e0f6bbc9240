"""The curved surface that carries the skin: where each pixel of a frame's face lies on the resting one."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp
from datamodules.prepare.synthetic.face import JAW_X, JAW_Y, Proportions
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.raster import Area, Grid

NO_SECOND_MAP = np.empty(0, np.float32)
FRONT = 0.36
"""Depth z in face units of the front of the face."""
ROUNDS = 4
"""Rounds of the search for the resting place of a pixel; each leaves less than half of the error."""


class Surface:
    """Maps from the pixels of an area to those of a texture of the resting face, for `cv2.remap`.

    The head turns as a round body, and the jaw takes the skin along. Maps are computed on a coarse grid for all frames
    and filled in between.
    """

    def __init__(self, scene: Scene, area: Area, grid: Grid, side: int):
        self.area, self.cell = area, max(4, side // 13)
        width, height = (max(size[axis] for size in area.sizes) // self.cell + 3 for axis in (0, 1))
        # Nodes begin one cell before the area's box.
        x, y = ((np.arange(count) - 0.5) * self.cell - 0.5 for count in (width, height))
        nodes = np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1).reshape(1, -1, 2)
        place = (nodes.astype(np.float32) + area.start[:, None] + 0.5) / np.float32(side)
        resting = _resting(scene, place)
        pixels = (resting - (grid.left, grid.top)) * grid.resolution - 0.5
        self.maps = pixels.reshape(len(pixels), height, width, 2).astype(np.float32)

    def warp(self, texture: np.ndarray, index: int, box: np.ndarray) -> None:
        """Put the texture, as it is seen in the area's box, into that box of a picture."""
        width, height = self.area.sizes[index]
        cell, coarse = self.cell, self.maps[index]
        fine = cv2.resize(coarse, (coarse.shape[1] * cell, coarse.shape[0] * cell), interpolation=cv2.INTER_LINEAR)
        seen = fine[cell : cell + height, cell : cell + width]
        cv2.remap(texture, seen, NO_SECOND_MAP, cv2.INTER_LINEAR, box, cv2.BORDER_REPLICATE)


def _resting(scene: Scene, place: np.ndarray) -> np.ndarray:
    """The points x, y (T, N, 2) of the resting face that are seen at places (T, N, 2), in parts of the side."""
    linear, opening = scene.head.linear.astype(np.float32), scene.motion.viseme[:, :1].astype(np.float32)
    back = np.linalg.inv(linear[:, :, :2]).swapaxes(1, 2)
    start = (place - scene.head.offset[:, None].astype(np.float32)) @ back
    # A point is seen where its plane would put it, moved by its depth and by the jaw.
    sideways = linear[:, None, :, 2] @ back
    point = start - FRONT * sideways
    for _ in range(ROUNDS):
        point = start - _depth(point, scene.size)[..., None] * sideways
        point[..., 1] -= 0.17 * opening * _jaw_share(point[..., 1], scene.size)
    return point


def _jaw_share(y: np.ndarray, size: Proportions) -> np.ndarray:
    """The share of the jaw's way that skin at a height takes; the lower face moves, the upper one does not."""
    return clamp((y / size.length - 0.45) / 0.55, 0, 1)


def _depth(point: np.ndarray, size: Proportions) -> np.ndarray:
    """The depth z of the skin: the front of the face, bent back towards the jaw line and the skull."""
    y = point[..., 1]
    below = clamp(y / size.length, 0, 1)
    wide = size.cheek * np.interp(below, JAW_Y, np.maximum(JAW_X, 0.4)).astype(np.float32)
    edge = -0.35 + 0.65 * below**2
    aside = clamp(np.abs(point[..., 0]) / wide, 0, 1.15) ** 2
    return FRONT - (FRONT - edge) * aside - 0.6 * clamp((-y - 0.35) / 0.8, 0, 1.1) ** 2
