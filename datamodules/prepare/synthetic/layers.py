"""The layers of a picture from back to front, each a polygon or a line per frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.face import (
    LID,
    Expression,
    Projection,
    Proportions,
    body_projection,
    express,
    head_projection,
)
from datamodules.prepare.synthetic.hair import Hair, make_hair, skull
from datamodules.prepare.synthetic.looks import Colour, mix, shade
from datamodules.prepare.synthetic.motion import Motion
from datamodules.prepare.synthetic.speaker import Speaker

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 20)[:-1])], axis=1)


@dataclass(frozen=True)
class Layer:
    """One part of the picture.

    Attributes:
        points: (T, N, 2) in parts of the picture's side.
        colour: 8-bit RGB, or the name of a texture, "skin" or "hair".
        width: 0 for a filled polygon, else the width of an open line in face units.
    """

    points: np.ndarray
    colour: Colour | str
    width: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A clip ready to be rendered.

    Attributes:
        layers: From back to front.
        landmarks: (T, 68, 2) in parts of the picture's side.
        depth: (T, 68) in the same unit, away from the viewer, up to a constant of each frame.
        head: The view of the head.
        size: The lengths of the face.
    """

    layers: tuple[Layer, ...]
    landmarks: np.ndarray
    depth: np.ndarray
    head: Projection
    size: Proportions


def make_scene(speaker: Speaker, size: Proportions, motion: Motion) -> Scene:
    """Lay out all layers of a clip."""
    head, body = head_projection(size, motion), body_projection(size, motion)
    face = express(size, motion)
    hair = make_hair(speaker, size)
    layers = (
        *_behind(speaker, size, hair, head, body),
        *_skin(speaker, size, face, head),
        *_nose(speaker, size, face, head),
        *_eyes(speaker, size, face, motion, head),
        *_brows(speaker, size, face, head),
        *_mouth(speaker, face, motion, head),
        *(Layer(head(points), "hair") for points in hair.cap),
    )
    points = face.landmarks()
    return Scene(layers, head(points), head.depth(points), head, size)


def spline(points: np.ndarray, steps: int) -> np.ndarray:
    """Open Catmull-Rom curve through points (..., N, D), `steps` pieces between two: (..., steps (N - 1) + 1, D)."""
    ends = (2 * points[..., :1, :] - points[..., 1:2, :], 2 * points[..., -1:, :] - points[..., -2:-1, :])
    knots = np.concatenate([ends[0], points, ends[1]], axis=-2)
    a, b, c, d = (knots[..., k : k + points.shape[-2] - 1, None, :] for k in range(4))
    t = (np.arange(steps) / steps)[:, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    flat = curve.reshape(*points.shape[:-2], -1, points.shape[-1])
    return np.concatenate([flat, points[..., -1:, :]], axis=-2)


def _behind(speaker: Speaker, size: Proportions, hair: Hair, head: Projection, body: Projection) -> Iterator[Layer]:
    looks = speaker.appearance
    for points in hair.back:
        yield Layer(head(points), shade(looks.hair, 0.62))
    man = speaker.gender == "male"
    half, chin = (0.66 if man else 0.5), size.length
    broad = 1.75 if man else 1.5
    neck = [(-half, 0.4), (half, 0.4), (half, chin + 0.2), (1.5 * half, chin + 0.5), (-1.5 * half, chin + 0.5)]
    neck.append((-half, chin + 0.2))
    throat = [(0, chin + 0.36 + 0.3 * looks.neckline), (0.62, chin + 0.26), (half + 0.1, chin + 0.18)]
    shoulder = [(half + 0.3, chin + 0.3), (broad, chin + 0.52), (broad + 0.3, chin + 0.9), (broad + 0.4, 3.2)]
    right = np.array([*throat, *shoulder])
    left = (right * (-1, 1))[::-1]
    yield Layer(body(_flat(np.array(neck), -0.4)), shade(looks.skin, 0.74))
    yield Layer(body(_flat(_under_chin(half, chin), -0.3)), shade(looks.skin, 0.6))
    yield Layer(body(_flat(np.concatenate([right, left]), -0.2)), looks.clothes)
    yield Layer(body(_flat(np.concatenate([left[-3:], right[:3]]), -0.2)), shade(looks.clothes, 0.72), 0.06)
    if not man:
        return
    for side in (-1, 1):
        lapel = np.array([[0.0, chin + 0.5], [0.62 * side, chin + 0.24], [0.5 * side, chin + 0.75]])
        yield Layer(body(_flat(lapel, -0.2)), shade(looks.clothes, 1.18))


def _under_chin(half: float, chin: float) -> np.ndarray:
    x = np.linspace(-half, half, 9)
    lower = np.stack([x, chin + 0.2 - 0.14 * (x / half) ** 2], axis=1)
    return np.concatenate([lower, [[half, 0.5], [-half, 0.5]]])


def _flat(points: np.ndarray, depth: float) -> np.ndarray:
    return np.concatenate([points, np.full((len(points), 1), depth)], axis=1)


def _skin(speaker: Speaker, size: Proportions, face: Expression, head: Projection) -> Iterator[Layer]:
    skin = speaker.appearance.skin
    ear = CIRCLE * (0.12, 0.2 + 0.02 * speaker.face.ear_size)
    for side in (-1, 1):
        centre = np.array([side * (size.cheek + 0.04), 0.1])
        yield Layer(head(_flat(centre + ear, -0.38)), shade(skin, 0.82))
        yield Layer(head(_flat(centre + 0.55 * ear, -0.36)), shade(skin, 0.66))
    jaw = spline(face.jaw, 2)
    top = np.broadcast_to(skull(size)[::-1], (len(jaw), 25, 3))
    yield Layer(head(np.concatenate([jaw, top], axis=1)), "skin")
    yield Layer(head(jaw[:, 3:-3]), shade(skin, 0.6), 0.022)


def _nose(speaker: Speaker, size: Proportions, face: Expression, head: Projection) -> Iterator[Layer]:
    skin = speaker.appearance.skin
    dark, base = (4, 8) if speaker.appearance.light > 0 else (8, 4)
    bridge, tip = face.nose[:, :3], face.nose[:, 3:4]
    shadow = np.concatenate([bridge[:, 1:], tip, face.nose[:, [6, dark]]], axis=1)
    yield Layer(head(spline(shadow, 2)), shade(skin, 0.84))
    lift = np.array([[0, -0.045, 0.05]])
    under = np.concatenate([face.nose[:, 4:], face.nose[:, 7:4:-1] + lift], axis=1)
    yield Layer(head(under), shade(skin, 0.72))
    for side in (5, 7):
        hole = CIRCLE[:, :] * (0.3 * size.nose_half, 0.028)
        yield Layer(head(_flat(hole, 0.0) + face.nose[:, side : side + 1]), shade(skin, 0.36))
    for side, way in ((4, -1), (8, 1)):
        wing = np.array([[0, -0.12, -0.02], [0.035 * way, -0.05, -0.02], [0.02 * way, 0.02, 0]])
        yield Layer(head(spline(face.nose[:, side : side + 1] + wing, 2)), shade(skin, 0.66), 0.025)
    glint = _flat(CIRCLE * 0.045, 0.03) + tip + np.array([0.02 * np.sign(base - dark), 0, 0])
    yield Layer(head(glint), shade(mix(skin, (255, 255, 255), 0.25), 1.0))


def _eyes(speaker: Speaker, size: Proportions, face: Expression, motion: Motion, head: Projection) -> Iterator[Layer]:
    looks = speaker.appearance
    woman = speaker.gender == "female"
    radius = 0.1
    for side in (0, 1):
        upper, lower = face.upper_lids[:, side], face.lower_lids[:, side]
        yield Layer(head(np.concatenate([upper, lower[:, ::-1]], axis=1)), (238, 236, 232))
        for share, colour in ((1.0, shade(looks.eyes, 0.7)), (0.82, looks.eyes), (0.42, (12, 10, 10))):
            yield Layer(head(_iris(size, motion, upper, lower, side, share * radius)), colour)
        glint = np.array([0.03, -0.035])
        yield Layer(head(_iris(size, motion, upper, lower, side, 0.026, glint)), (252, 252, 252))
        crease = upper + np.array([0, -0.055, 0]) - np.array([0, 0.02, 0]) * (1 - LID[:, None] ** 2)
        yield Layer(head(crease), shade(looks.skin, 0.7), 0.02)
        yield Layer(head(lower), shade(looks.skin, 0.66), 0.016)
        yield Layer(head(upper), (34, 24, 22) if woman else shade(looks.skin, 0.32), 0.042 if woman else 0.03)
        if woman:
            corner = 0 if side == 0 else 12
            flick = upper[:, corner : corner + 1] + np.array([[0, 0, 0], [0.07 * (2 * side - 1), -0.05, -0.02]])
            yield Layer(head(flick), (34, 24, 22), 0.036)


def _iris(
    size: Proportions,
    motion: Motion,
    upper: np.ndarray,
    lower: np.ndarray,
    side: int,
    radius: float,
    offset: np.ndarray | None = None,
) -> np.ndarray:
    """A disc on the eyeball, cut off at the lids, (T, 19, 3)."""
    middle = np.array([(2 * side - 1) * size.eye_x, 0.0]) + (0 if offset is None else offset)
    gaze = motion.gaze * (0.42 * size.eye_width, 0.35 * size.eye_height)
    disc = middle + gaze[:, None] + radius * CIRCLE
    place = np.clip((disc[:, :, 0] - upper[:, :1, 0]) / (2 * size.eye_width) * (len(LID) - 1), 0, len(LID) - 1.001)
    before = place.astype(int)
    share = place - before

    def lid(points: np.ndarray) -> np.ndarray:
        heights = points[:, :, 1]
        return (1 - share) * np.take_along_axis(heights, before, 1) + share * np.take_along_axis(heights, before + 1, 1)

    cut = np.clip(disc[:, :, 1], lid(upper), np.maximum(lid(lower), lid(upper)))
    return np.stack([disc[:, :, 0], cut, np.full_like(cut, 0.32)], axis=2)


def _brows(speaker: Speaker, size: Proportions, face: Expression, head: Projection) -> Iterator[Layer]:
    along = np.linspace(0, 1, 9)
    thick = size.brow_half * (0.45 + 0.75 * along)
    for side in (0, 1):
        ridge = spline(face.brows[:, 5 * side : 5 * side + 5], 2)
        half = np.stack([0 * thick, thick if side == 0 else thick[::-1], 0 * thick], axis=1)
        outline = np.concatenate([ridge - half, (ridge + half)[:, ::-1]], axis=1)
        yield Layer(head(outline), speaker.appearance.brows)


def _mouth(speaker: Speaker, face: Expression, motion: Motion, head: Projection) -> Iterator[Layer]:
    skin = speaker.appearance.skin
    red = mix(skin, (176, 42, 62), 0.52) if speaker.gender == "female" else mix(skin, (150, 62, 62), 0.4)
    upper, lower = spline(face.mouth[:, :7], 3), spline(face.mouth[:, [0, 11, 10, 9, 8, 7, 6]], 3)
    above, below = spline(face.mouth[:, 12:17], 3), spline(face.mouth[:, [12, 19, 18, 17, 16]], 3)
    gap = np.maximum(below[:, :, 1:2] - above[:, :, 1:2], 1e-6)
    teeth = above + (below - above) * np.clip(0.13 * motion.viseme[:, 3, None, None] / gap, 0, 0.8)
    tongue = below - (below - above) * np.clip(0.12 / gap, 0, 0.4)
    yield Layer(head(np.concatenate([above, below[:, ::-1]], axis=1)), (52, 18, 22))
    yield Layer(head(np.concatenate([tongue[:, 3:-3], below[:, -4:2:-1]], axis=1)), (168, 78, 82))
    yield Layer(head(np.concatenate([above, teeth[:, ::-1]], axis=1)), (240, 234, 222))
    yield Layer(head(np.concatenate([upper, above[:, ::-1]], axis=1)), shade(red, 0.82))
    yield Layer(head(np.concatenate([lower, below[:, ::-1]], axis=1)), red)
    yield Layer(head(above), shade(red, 0.5), 0.018)
    shine = 0.55 * lower[:, 6:13] + 0.45 * spline(face.mouth[:, [19, 18, 17]], 3)
    yield Layer(head(shine), mix(red, (255, 235, 230), 0.3), 0.03)
