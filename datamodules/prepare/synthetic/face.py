"""The geometry of a face: its points in space, moved by an expression and placed by a pose.

Face units: half the width of an average face is 1, x is the picture's right, y is down from the line of the eyes, z is
towards the viewer.
"""

from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.motion import Motion
from datamodules.prepare.synthetic.speaker import Speaker

FILL = 0.56
"""Side of the landmarks' bounding box at rest, in parts of the picture's side."""
CENTRE = (0.5, 0.535)
"""Centre of that box in the picture at rest."""

JAW_X = np.array([1.0, 0.995, 0.965, 0.90, 0.79, 0.64, 0.45, 0.23, 0.0])
JAW_Y = np.array([0.0, 0.18, 0.36, 0.53, 0.685, 0.815, 0.92, 0.98, 1.0])
LID = np.linspace(-1.0, 1.0, 13)


@dataclass(frozen=True)
class Proportions:
    """Lengths of one face in face units."""

    cheek: float
    length: float
    jaw: float
    chin: float
    eye_x: float
    eye_width: float
    eye_height: float
    eye_slant: float
    brow_y: float
    brow_arch: float
    brow_half: float
    nose_y: float
    nose_half: float
    mouth_y: float
    mouth_half: float
    lip: float


@dataclass(frozen=True)
class Projection:
    """Orthographic view of the posed head: from face units to parts of the picture's side.

    Attributes:
        linear: (T, 2, 3).
        offset: (T, 2).
        away: (T, 3), the direction away from the viewer.
    """

    linear: np.ndarray
    offset: np.ndarray
    away: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Project points (N, 3), or (T, N, 3) that move, to (T, N, 2)."""
        moved = np.broadcast_to(points, (len(self.linear), *points.shape[-2:]))
        return np.einsum("tij,tnj->tni", self.linear, moved) + self.offset[:, None]

    def outlines(self, shapes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Project named points (N, 3) or (T, N, 3) for drawing, in single precision and all at once."""
        count = len(self.linear)
        every = [np.broadcast_to(points, (count, *points.shape[-2:])) for points in shapes.values()]
        linear, offset = (part.astype(np.float32) for part in (self.linear, self.offset))
        placed = np.concatenate(every, axis=1, dtype=np.float32) @ linear.swapaxes(1, 2) + offset[:, None]
        ends = np.cumsum([points.shape[1] for points in every])[:-1]
        return dict(zip(shapes, np.split(placed, ends, axis=1), strict=True))

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Compute the depth (T, N) of points (T, N, 3) away from the viewer, up to a constant of each frame."""
        return np.einsum("tj,tnj->tn", self.away, points)

    def plane(
        self, depth: float, slope: tuple[float, float] = (0.0, 0.0), moved: np.ndarray | None = None
    ) -> np.ndarray:
        """The affine maps, (T, 2, 3), of the view for the points x, y of a plane.

        Args:
            depth: The plane's z at x = y = 0.
            slope: Change of z with x and with y.
            moved: (T, 2), shift of the points within the plane; none by default.
        """
        linear = self.linear[:, :, :2] + self.linear[:, :, 2:] * np.array(slope)
        offset = self.offset + self.linear[:, :, 2] * depth
        if moved is not None:
            offset = offset + (linear @ moved[:, :, None])[:, :, 0]
        return np.concatenate([linear, offset[:, :, None]], axis=2)


@dataclass(frozen=True)
class Expression:
    """The moving parts of a face in face units, each (T, N, 3).

    Attributes:
        jaw: Points 0 to 16.
        brows: Points 17 to 26.
        nose: Points 27 to 35.
        upper_lids: Left and right, (T, 2, 13, 3), from the picture's left to its right.
        lower_lids: The lower lids, in the same form.
        mouth: Points 48 to 67.
    """

    jaw: np.ndarray
    brows: np.ndarray
    nose: np.ndarray
    upper_lids: np.ndarray
    lower_lids: np.ndarray
    mouth: np.ndarray

    def landmarks(self) -> np.ndarray:
        """The 68 landmarks in iBUG order, (T, 68, 3)."""
        corners, inner = (0, 12), (4, 8)
        eyes = []
        for side in (0, 1):
            upper, lower = self.upper_lids[:, side], self.lower_lids[:, side]
            order = [upper[:, corners[0]], upper[:, inner[0]], upper[:, inner[1]], upper[:, corners[1]]]
            eyes.append(np.stack([*order, lower[:, inner[1]], lower[:, inner[0]]], axis=1))
        return np.concatenate([self.jaw, self.brows, self.nose, *eyes, self.mouth], axis=1)


def proportions(speaker: Speaker) -> Proportions:
    """The lengths of a speaker's face. Men's are a little squarer, their brows lower and their mouths thinner."""
    face = speaker.face
    man = 0.5 if speaker.gender == "male" else -0.5
    length = 1.24 * (1 + 0.075 * face.face_length)
    return Proportions(
        cheek=1.0 + 0.025 * face.cheek_width,
        length=length,
        jaw=1.0 + 0.09 * face.jaw_width + 0.04 * man,
        chin=1.0 + 0.07 * face.chin_width + 0.16 * man,
        eye_x=0.445 + 0.02 * face.eye_spacing,
        eye_width=0.2 * (1 + 0.07 * face.eye_size - 0.05 * man),
        eye_height=0.097 * (1 + 0.13 * face.eye_size - 0.22 * man),
        eye_slant=0.018 * face.eye_slant,
        brow_y=-0.27 - 0.022 * face.brow_height + 0.05 * man,
        brow_arch=0.065 * (1 + 0.3 * face.brow_arch - 0.5 * man),
        brow_half=0.038 * float(np.exp(0.42 * face.brow_thickness)),
        nose_y=length * (0.44 + 0.012 * face.nose_length),
        nose_half=0.185 * (1 + 0.22 * face.nose_size),
        mouth_y=length * (0.70 + 0.01 * face.mouth_height),
        mouth_half=0.39 * (1 + 0.05 * face.mouth_width + 0.05 * man),
        lip=float(np.exp(0.32 * face.lip_fullness)),
    )


def express(size: Proportions, motion: Motion) -> Expression:
    """Move the face into the expression of each frame."""
    upper, lower = _lids(size, motion)
    return Expression(_jaw(size, motion), _brows(size, motion), _nose(size, motion), upper, lower, _mouth(size, motion))


def head_projection(size: Proportions, motion: Motion) -> Projection:
    """The view of the posed head. It turns about the neck; the same for every picture size."""
    yaw, pitch, roll = (np.deg2rad(angle) for angle in (motion.yaw, motion.pitch, motion.roll))
    one, zero = np.ones_like(yaw), np.zeros_like(yaw)
    turn = np.array([[np.cos(yaw), zero, np.sin(yaw)], [zero, one, zero], [-np.sin(yaw), zero, np.cos(yaw)]])
    nod = np.array([[one, zero, zero], [zero, np.cos(pitch), np.sin(pitch)], [zero, -np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]])
    rotation = np.einsum("ijt,jkt,klt->til", tilt, nod, turn)
    scale, origin = framing(size)
    pivot = np.array([0.0, 0.75 * size.length, -0.35])
    posed = rotation * (scale * motion.zoom)[:, None, None]
    linear = posed[:, :2]
    offset = origin + scale * pivot[:2] + motion.shift - linear @ pivot
    return Projection(linear, offset, -posed[:, 2])


def body_projection(size: Proportions, motion: Motion) -> Projection:
    """The view of neck and shoulders, which follow the head's translation in part and never turn."""
    scale, origin = framing(size)
    posed = np.broadcast_to(scale * np.eye(3), (len(motion.yaw), 3, 3))
    return Projection(posed[:, :2], origin + 0.55 * motion.shift, -posed[:, 2])


def framing(size: Proportions) -> tuple[float, np.ndarray]:
    """The picture's scale (parts of its side per face unit), and the place of the point between the eyes at rest."""
    top = size.brow_y - size.brow_arch - size.brow_half
    scale = FILL / max(2 * size.cheek, size.length - top)
    return scale, np.array(CENTRE) - scale * np.array([0.0, 0.5 * (size.length + top)])


def resting_jaw(size: Proportions) -> np.ndarray:
    """Points 0 to 16 with the mouth closed, (17, 3)."""
    corner = np.exp(-0.5 * ((np.arange(9) - 4.3) / 1.5) ** 2)
    chin = np.exp(-0.5 * ((np.arange(9) - 6.6) / 1.0) ** 2)
    half_x = size.cheek * JAW_X * (1 + (size.jaw - 1) * corner + (size.chin - 1) * chin)
    z = -0.35 + 0.65 * JAW_Y**2
    left = np.stack([-half_x, size.length * JAW_Y, z], axis=1)
    return np.concatenate([left, (left * (-1, 1, 1))[-2::-1]])


def _jaw(size: Proportions, motion: Motion) -> np.ndarray:
    points = resting_jaw(size)
    drop = np.clip(np.concatenate([JAW_Y, JAW_Y[-2::-1]]) - 0.45, 0, None) / 0.55
    jaw = np.repeat(points[None], len(motion.yaw), axis=0)
    jaw[:, :, 1] += 0.17 * motion.viseme[:, :1] * drop
    return jaw


def _brows(size: Proportions, motion: Motion) -> np.ndarray:
    along = np.linspace(0, 1, 5)
    x = -(size.eye_x + 0.32 - 0.56 * along)
    y = size.brow_y - size.brow_arch * np.sin(np.pi * np.clip(along * 0.85 + 0.1, 0, 1)) + size.brow_arch * 0.5
    left = np.stack([x, y, 0.28 + 0.2 * along], axis=1)
    brows = np.repeat(np.concatenate([left, (left * (-1, 1, 1))[::-1]])[None], len(motion.yaw), axis=0)
    brows[:, :, 1] -= 0.06 * motion.brow[:, None]
    return brows


def _nose(size: Proportions, motion: Motion) -> np.ndarray:
    down = np.linspace(0, 1, 4)
    tip = size.nose_y - 0.09
    bridge = np.stack([0 * down, 0.0 + tip * down, 0.44 + 0.33 * down**1.3], axis=1)
    across = np.array([-1.0, -0.52, 0.0, 0.52, 1.0])
    base = np.stack(
        [size.nose_half * across, size.nose_y + np.array([-0.03, 0.005, 0.02, 0.005, -0.03]), 0.62 - 0.14 * across**2],
        axis=1,
    )
    return np.repeat(np.concatenate([bridge, base])[None], len(motion.yaw), axis=0)


def _lids(size: Proportions, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    bow = 1 - np.abs(LID) ** 2.3
    closed = 0.3 * size.eye_height * bow
    blink = motion.blink[:, None]
    looking = 1 + 0.15 * motion.brow[:, None] - 0.25 * np.clip(motion.gaze[:, 1:], 0, 1)
    upper_y = (1 - blink) * (-size.eye_height * looking * bow) + blink * closed
    lower_y = (1 - blink) * (0.72 * size.eye_height * bow) + blink * closed
    lids = []
    for y in (upper_y, lower_y):
        sides = []
        for side in (-1.0, 1.0):
            x = np.broadcast_to(side * size.eye_x + size.eye_width * LID, y.shape)
            # The outer corner rises or falls with the slant and lies further back.
            outwards = side * LID
            z = np.broadcast_to(0.32 - 0.07 * outwards, y.shape)
            sides.append(np.stack([x, y - size.eye_slant * outwards, z], axis=2))
        lids.append(np.stack(sides, axis=1))
    return lids[0], lids[1]


def _mouth(size: Proportions, motion: Motion) -> np.ndarray:
    opening, width, rounding, _ = (track[:, None] for track in motion.viseme.T)
    half = size.mouth_half * (1 + 0.16 * width - 0.22 * rounding)
    gap = 0.46 * opening * (1 - 0.15 * rounding)
    full = size.lip * (1 + 0.18 * rounding - 0.12 * np.clip(width, 0, 1))
    outer_x = np.array([-1, -0.62, -0.25, 0, 0.25, 0.62, 1])
    inner_x = np.array([-0.86, -0.45, 0, 0.45, 0.86])
    outer_gap = np.array([0, 0.66, 0.93, 1, 0.93, 0.66, 0])
    inner_gap = np.array([0.04, 0.8, 1, 0.8, 0.04])
    up, down, middle = 0.26 * gap, 0.74 * gap, 0.12 * gap
    upper = -0.088 * full * np.array([0, 0.74, 1.0, 0.88, 1.0, 0.74, 0]) - up * outer_gap
    lower = 0.112 * full * np.array([0, 0.72, 0.97, 1.0, 0.97, 0.72, 0]) + down * outer_gap
    upper[:, [0, 6]] += middle
    upper_inner = -up * inner_gap + middle * np.array([1, 0.2, 0, 0.2, 1])
    lower_inner = down * inner_gap + middle * np.array([1, 0.2, 0, 0.2, 1])
    x = np.concatenate([outer_x, outer_x[5:0:-1], inner_x, inner_x[3:0:-1]])
    y = np.concatenate([upper, lower[:, 5:0:-1], upper_inner, lower_inner[:, 3:0:-1]], axis=1)
    z = 0.50 - 0.2 * x**2 + 0.10 * rounding * (1 - x**2)
    # Straight lips look sullen.
    return np.stack([half * x, size.mouth_y + y - 0.05 * x**2, z], axis=2)
