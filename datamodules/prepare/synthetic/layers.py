"""The scene of a clip: the moving face, the views of head and body, and the landmarks."""

from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.face import (
    Expression,
    Projection,
    Proportions,
    body_projection,
    express,
    framing,
    head_projection,
)
from datamodules.prepare.synthetic.motion import Motion
from datamodules.prepare.synthetic.raster import Grid

TEXTURE_SIDES = (96, 512)
"""Range of the side of textures that cover the picture, in pixels."""


@dataclass(frozen=True)
class Scene:
    """A clip ready to be rendered.

    Attributes:
        landmarks: (T, 68, 2) in parts of the picture's side.
        depth: (T, 68) in the same unit, away from the viewer, up to a constant of each frame.
        head: The view of the head.
        body: The view of neck and shoulders.
        size: The lengths of the face.
        face: The face in each frame's expression.
        motion: The quantities that move it.
    """

    landmarks: np.ndarray
    depth: np.ndarray
    head: Projection
    body: Projection
    size: Proportions
    face: Expression
    motion: Motion


def make_scene(size: Proportions, motion: Motion) -> Scene:
    """Move a face of some lengths, and place its landmarks in the picture."""
    head, body = head_projection(size, motion), body_projection(size, motion)
    face = express(size, motion)
    points = face.landmarks()
    return Scene(head(points), head.depth(points), head, body, size, face, motion)


def picture_grid(size: Proportions, side: int) -> Grid:
    """The grid of a texture that covers the picture at rest, for pictures of `side` pixels."""
    pixels = int(np.clip(side, *TEXTURE_SIDES))
    scale, origin = framing(size)
    return Grid(-origin[0] / scale, -origin[1] / scale, scale * pixels, pixels, pixels)
