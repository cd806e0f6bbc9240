"""Ears: a rim, the hollows behind it and the lobe, beside the head."""

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import spline
from datamodules.prepare.synthetic.hair import STYLES
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.looks import shade
from datamodules.prepare.synthetic.raster import SUBPIXEL
from datamodules.prepare.synthetic.speaker import Speaker

OUTLINE = [
    (-0.1, 0.98),
    (-0.5, 0.72),
    (-0.62, 0.3),
    (-0.88, -0.15),
    (-1.0, -0.6),
    (-0.6, -1.0),
    (0.1, -0.92),
    (0.6, -0.4),
]
"""Left ear, from the lobe up and over to the head; 1 is half its width and half its height."""
PARTS = (
    (1.0, 1.0, 0.0, 0.0, 0.82),
    (0.8, 0.86, 0.1, -0.04, 0.6),
    (0.6, 0.72, 0.18, 0.02, 0.76),
    (0.36, 0.4, 0.34, 0.12, 0.46),
)
"""Sizes and shifts in both directions and the light of rim, groove, fold and canal."""


class Ears:
    """Both ears of a clip, drawn together; long hair hides them."""

    def __init__(self, speaker: Speaker, scene: Scene, side: int):
        ear = np.array([0.14, 0.2 + 0.02 * speaker.face.ear_size])
        outline = spline(np.array([*OUTLINE, (0.6, 0.5), OUTLINE[0]]), 4)[:-1]
        style = STYLES[speaker.appearance.hair_style]
        self.parts = []
        for wide, high, right, down, light in () if style.ends > 0.5 else PARTS:
            points = (outline * (wide, high) + (right, down)) * ear - (scene.size.cheek + 0.02, -0.1)
            left = np.concatenate([points, np.full((len(points), 1), -0.38)], axis=1)
            both = scene.head.outlines({"left": left, "right": left * (-1, 1, 1)})
            place = np.stack(list(both.values()), axis=1) * side - 0.5
            fixed = np.ascontiguousarray(np.rint(place * (1 << SUBPIXEL)), np.int32)
            self.parts.append((fixed, shade(speaker.appearance.skin, light)))

    def draw(self, picture: np.ndarray, index: int) -> None:
        """Draw a frame's ears."""
        for points, colour in self.parts:
            cv2.fillPoly(picture, list(points[index]), colour, cv2.LINE_AA, SUBPIXEL)
