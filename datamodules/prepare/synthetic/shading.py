"""Light on a head: its relief as a height field, and the light that falls on it."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import band, clamp, spline
from datamodules.prepare.synthetic.face import Proportions, resting_jaw
from datamodules.prepare.synthetic.hair import skull
from datamodules.prepare.synthetic.raster import Grid

FORM_SIDE = 64
"""Side in pixels at which soft shading is computed; it holds nothing finer than its pixels."""
SHADOW_TINT = np.array([0.16, -0.07, -0.15], np.float32)
"""Relative change of red, green and blue in full shadow: the shadows of skin are warm."""


def coarse(grid: Grid, width: int = FORM_SIDE) -> Grid:
    """The grid of the same place with fewer columns, by default those on which soft shading is computed."""
    scale = width / grid.width
    return Grid(grid.left, grid.top, grid.resolution * scale, width, max(2, round(grid.height * scale)))


def lit(colour: tuple[int, int, int], light: np.ndarray) -> np.ndarray:
    """A skin's colour in a light (height, width), (height, width, 3) float32."""
    tint = 1 + clamp(1 - light, 0, 1)[:, :, None] * SHADOW_TINT
    return tint * (light[:, :, None] * np.array(colour, np.float32))


Spot = tuple[float, float, float, float, float]
"""Strength, x and y of the centre, width and height of a soft spot."""


def spots(x: np.ndarray, y: np.ndarray, single: tuple[Spot, ...], mirrored: tuple[Spot, ...] = ()) -> np.ndarray:
    """Sum soft spots on a grid's axes, (height, width); `mirrored` ones lie at both sides of the face."""
    both = (*single, *mirrored, *((strength, -at, *rest) for strength, at, *rest in mirrored))
    strength, at_x, at_y, wide, high = np.array(both, np.float32).T[:, :, None]
    return np.exp(-(((y.T - at_y) / high) ** 2)).T @ (strength * np.exp(-(((x - at_x) / wide) ** 2)))


def head_mask(size: Proportions, grid: Grid) -> np.ndarray:
    """The resting head from crown to chin, uint8."""
    return grid.mask(band(spline(resting_jaw(size), 3), skull(size)))


def head_light(size: Proportions, grid: Grid, direction: float) -> tuple[np.ndarray, np.ndarray]:
    """The light on a resting head, and its gloss, (height, width) float32 each; 1 is skin in full light."""
    x, y = grid.axes()
    # The distance to the outline in face units: what is near it turns away from the viewer.
    inside = cv2.distanceTransform(head_mask(size, grid), cv2.DIST_L2, 5) / np.float32(grid.resolution)
    height = _height(size, grid, x, y, inside)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=grid.resolution / 8)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=grid.resolution / 8)
    length = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    key = _towards(slope_x, slope_y, length, (0.62 * direction, -0.42, 0.8))
    fill = _towards(slope_x, slope_y, length, (-0.8 * direction, 0.1, 0.6))
    half = _towards(slope_x, slope_y, length, (0.34 * direction, -0.3, 1.0))
    light = 0.4 + 0.58 * clamp(key, 0, 1) + 0.12 * clamp(fill, 0, 1)
    limb = 0.68 + 0.32 * np.sqrt(clamp(inside / 0.09, 0, 1))
    return light * limb * (1 - _occlusion(size, x, y)), _power16(clamp(half, 0, 1))


def _power16(values: np.ndarray) -> np.ndarray:
    for _ in range(4):
        values = values * values
    return values


def _towards(slope_x: np.ndarray, slope_y: np.ndarray, length: np.ndarray, light: tuple[float, ...]) -> np.ndarray:
    """The cosine between the surface's normal and a direction."""
    x, y, z = np.array(light) / np.linalg.norm(light)
    return (z - x * slope_x - y * slope_y) * length


def _height(size: Proportions, grid: Grid, x: np.ndarray, y: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Height of the head above its outline in face units: a rounded mask with brows, cheeks, muzzle and chin."""
    # The round of the head: a quarter of an ellipse from the outline inwards, and smooth where the sides meet.
    inward = clamp(inside / 0.62, 0, 1)
    height = 0.5 * np.sqrt(1 - (1 - inward) ** 2)
    height += 0.2 * clamp(1 - (x / 1.05) ** 2, 0, 1) * clamp(1 - (y - 0.1) ** 2 / 1.6, 0, 1)
    middle = (
        (0.035, 0, -0.6, 0.5, 0.25),
        (0.05, 0, size.mouth_y, 0.36, 0.2),
        (-0.05, 0, size.mouth_y + 0.19, 0.24, 0.055),
        (0.06, 0, 0.92 * size.length, 0.2 * size.chin, 0.1),
    )
    sides = (
        (0.05, 0.36, size.brow_y + 0.02, 0.3, 0.11),
        (-0.055, size.eye_x - 0.03, 0.02, 0.2, 0.1),
        (0.028, size.eye_x, -0.01, 0.15, 0.08),
        (0.05, 0.56, 0.36 * size.length, 0.24, 0.16),
    )
    height += spots(x, y, middle, sides)
    return cv2.GaussianBlur(height.astype(np.float32), (0, 0), 0.035 * grid.resolution)


def _occlusion(size: Proportions, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the light that sockets, nose, mouth and chin keep away."""
    sides = (
        (0.2, size.eye_x - 0.02, -0.06, 0.22, 0.1),
        (0.16, size.eye_x - 0.27, -0.02, 0.09, 0.12),
        (0.07, size.eye_x, 0.16, 0.2, 0.06),
        (0.1, size.nose_half + 0.07, size.nose_y - 0.02, 0.06, 0.13),
        (0.05, size.mouth_half + 0.05, size.mouth_y, 0.07, 0.1),
        (0.05, 0.72, 0.62 * size.length, 0.16, 0.22),
    )
    return spots(x, y, ((0.12, 0, size.nose_y + 0.07, 0.2, 0.05),), sides)
