"""The shape of hair: a cap over the skull with an inner hairline, and for long hair a mass behind the neck."""

from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.curves import clamp, spline
from datamodules.prepare.synthetic.face import Proportions
from datamodules.prepare.synthetic.speaker import Speaker

SKULL_TOP = 1.12
"""Height of the bare skull above the line of the eyes in face units."""
ARC = 97
"""Points of the outline over the skull."""


@dataclass(frozen=True)
class Style:
    """A hair style in face units.

    Attributes:
        top: Volume above the skull; negative for no hair on top.
        side: Volume beside the skull.
        ends: Lower end of the hair beside the face (y; the line of the eyes is 0).
        line: Height of the hairline in the middle of the forehead (y, negative is up).
        temple: Height of the hairline at the temples.
        part: Shift of the hairline to one side by the parting.
        back: Lower end of the hair behind the neck (y); 0 for none.
        wave: Amplitude of the waves of the outline.
        bun: True for hair tied up on top.
        strands: Kind of the strands: "swept" from a parting along the hairline, "wavy", the same in waves, "long" or
            "short" ones from the crown, or "curly".
        crown: Place (y) that strands from the crown come from.
    """

    top: float
    side: float
    ends: float
    line: float
    temple: float
    part: float = 0.0
    back: float = 0.0
    wave: float = 0.0
    bun: bool = False
    strands: str = "swept"
    crown: float = -1.5


STYLES = {
    "long": Style(0.16, 0.13, 1.55, -0.78, -0.45, 0.25, 1.9, 0.01),
    "wavy": Style(0.2, 0.2, 1.3, -0.74, -0.42, 0.3, 1.6, 0.05, strands="wavy"),
    "bob": Style(0.18, 0.17, 0.95, -0.74, -0.4, 0.25, 0.95, 0.01),
    "fringe": Style(0.16, 0.12, 1.35, -0.42, -0.36, 0.0, 1.5, 0.01, strands="long", crown=-3.5),
    "bun": Style(0.1, 0.03, 0.2, -0.82, -0.5, 0.1, 0.0, 0.0, True, strands="long", crown=-1.5),
    "pixie": Style(0.2, 0.08, 0.42, -0.6, -0.4, 0.45, 0.0, 0.01, strands="short", crown=-1.6),
    "short": Style(0.14, 0.045, 0.2, -0.72, -0.46, 0.0, 0.0, 0.012, strands="short", crown=-1.9),
    "parted": Style(0.19, 0.055, 0.22, -0.7, -0.46, 0.5, 0.0, 0.01),
    "crop": Style(0.065, 0.025, 0.16, -0.76, -0.5, 0.0, 0.0, 0.005, strands="short", crown=-2.2),
    "curly": Style(0.22, 0.11, 0.2, -0.68, -0.42, 0.0, 0.0, 0.045, strands="curly"),
    "medium": Style(0.18, 0.12, 0.6, -0.7, -0.4, 0.3, 0.6, 0.02),
    "receding": Style(0.06, 0.035, 0.2, -0.98, -0.62, 0.0, 0.0, 0.008, strands="short", crown=-1.9),
    "bald": Style(-0.02, 0.035, 0.24, -1.2, -0.3, strands="short", crown=-1.9),
}


@dataclass(frozen=True)
class Hair:
    """Outlines of one person's hair, each (N, 3) in face units, for a face at rest; empty where there is none.

    Attributes:
        cap: Outlines over the skull and in front of the face.
        back: Outlines behind the neck.
        bun: Outlines behind the crown.
    """

    cap: tuple[np.ndarray, ...]
    back: tuple[np.ndarray, ...] = ()
    bun: tuple[np.ndarray, ...] = ()


def swept(style: Style) -> bool:
    """Tell whether the hair is combed from a parting to the sides."""
    return style.strands in ("swept", "wavy")


def skull(size: Proportions, steps: int = 49) -> np.ndarray:
    """The bare skull's outline from the left end of the jaw line over the top to the right one, (steps, 3)."""
    angle = np.linspace(np.pi, 0, steps)
    x = size.cheek * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.86
    return np.stack([x, -SKULL_TOP * np.sin(angle) ** 0.9, np.full(steps, -0.35)], axis=1)


def make_hair(speaker: Speaker, size: Proportions) -> Hair:
    """The outlines of a speaker's hair."""
    style = STYLES[speaker.appearance.hair_style]
    phase = speaker.appearance.hair_phase
    if style.top < 0:
        return Hair(_bald_sides(style, size))
    cap = np.concatenate([_outer(style, size, phase), _hairline(style, size, phase)[::-1]])
    back = (_back(style, size, phase),) if style.back else ()
    return Hair((cap,), back, (_bun(),) if style.bun else ())


def _bun() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.array([0.0, -SKULL_TOP - 0.16, -0.5]) + np.stack(
        [0.34 * np.cos(angle), 0.26 * np.sin(angle), 0 * angle], axis=1
    )


def _outer(style: Style, size: Proportions, phase: float) -> np.ndarray:
    """From the left end of the hair over the top to the right one."""
    arc = skull(size, ARC)
    angle = np.linspace(np.pi, 0, ARC)
    rise = style.top + style.part * 0.12 * np.cos(angle) * (1 if phase < 0.5 else -1)
    ripple = _ripple(style, angle * 1.3, phase)
    arc[:, 0] *= 1 + style.side + ripple
    arc[:, 1] *= 1 + rise + ripple
    arc[:, 2] = -0.3
    drop = np.linspace(style.ends, 0, 25)[:-1]
    # Long hair swings outwards below the ears and in again at its tips.
    share = drop / style.ends
    swing = 0.06 * min(style.ends, 1.2) * np.sin(np.pi * share) - 0.05 * max(style.ends - 0.5, 0) * share**4
    tuck = -0.05 * share**2 if style.ends < 0.5 else 0
    left_x = -size.cheek * (1 + style.side + _ripple(style, 3.5 - drop, phase) + swing + tuck)
    right_x = size.cheek * (1 + style.side + _ripple(style, 5.1 - drop, phase) + swing + tuck)
    left, right = (np.stack([x, drop, np.full(24, -0.2)], axis=1) for x in (left_x, right_x))
    return np.concatenate([left, arc, right[::-1]])


def _ripple(style: Style, along: np.ndarray, phase: float) -> np.ndarray:
    """Waves or curls of the outline along it."""
    if style.strands == "curly":
        bumps = np.abs(np.sin(8.5 * along + 5 * phase)) + 0.6 * np.abs(np.sin(14.3 * along + 9 * phase))
        return style.wave * (bumps - 0.9)
    return style.wave * (0.65 * np.sin(8 * along + 6 * phase) + 0.35 * np.sin(13 * along + 11 * phase))


def _hairline(style: Style, size: Proportions, phase: float) -> np.ndarray:
    """From the left end of the hair along the face to the right one."""
    inner = 0.94 if style.ends < 0.5 else 0.93
    x = np.array([-0.9, -0.74, -0.5, -0.25, 0, 0.25, 0.5, 0.74, 0.9]) * size.cheek
    shape = np.array([0.0, 0.45, 0.8, 0.97, 1, 0.97, 0.8, 0.45, 0.0])
    if swept(style):
        # An arch, as a parting opens it.
        shape = (1 - np.abs(x / (0.97 * size.cheek)) ** 2.3) ** 0.6
        y = 0.12 + (style.line - 0.12) * shape
    else:
        y = style.temple + (style.line - style.temple) * shape
        y += 0.014 * np.sin(np.arange(9) * 2.3 + 9 * phase)
    side = 1.0 if phase < 0.5 else -1.0
    y += side * style.part * 0.3 * clamp(x, -0.6, 0.6) * shape
    # Beside the face: sideburns grow narrower, long hair leaves the cheek.
    low = min(0.2 if swept(style) else -0.1, style.ends)
    down = np.array([style.ends, 0.5 * (style.ends + low), low])
    beside = size.cheek * np.array([0.98, inner + 0.02, inner])
    left = np.stack([-beside, down], axis=1)
    points = np.concatenate([left, np.stack([x, y], axis=1), (left * (-1, 1))[::-1]])
    curve = spline(points, 6)
    # On the skin, which bends back towards the temples and the crown.
    z = 0.36 - 0.71 * clamp(np.abs(curve[:, 0]) / size.cheek, 0, 1) ** 2
    z -= 0.6 * clamp((-curve[:, 1] - 0.35) / 0.8, 0, 1) ** 2
    # Where it comes near the skull's outline, it lies as deep as that.
    z -= 0.55 * clamp((curve[:, 0] / size.cheek) ** 2 + (curve[:, 1] / SKULL_TOP) ** 2 - 0.8, 0, 0.25)
    return np.concatenate([curve, z[:, None]], axis=1)


def _back(style: Style, size: Proportions, phase: float) -> np.ndarray:
    half = size.cheek * (1 + style.side)
    y = np.linspace(-0.6, style.back, 30)
    taper = 1 + 0.05 * y - 0.12 * np.maximum(y - 0.8 * style.back, 0) - 0.35 * np.maximum(-0.1 - y, 0)
    left = np.stack([-half * (taper + _ripple(style, 3.7 - y, phase)), y, np.full(30, -0.5)], axis=1)
    right = np.stack([half * (taper + _ripple(style, 4.9 - y, phase)), y, np.full(30, -0.5)], axis=1)
    return np.concatenate([left, right[::-1]])


def _bald_sides(style: Style, size: Proportions) -> tuple[np.ndarray, ...]:
    left = np.array([[-0.93, 0.24, -0.2], [-1.04, 0.2, -0.3], [-1.06, -0.1, -0.35], [-1.0, -0.45, -0.35]])
    left = np.concatenate([left, [[-0.92, -0.58, -0.35], [-0.9, -0.3, -0.2], [-0.94, 0.0, -0.2]]])
    left[:, 0] *= size.cheek * (1 + style.side - 0.035)
    left = spline(np.concatenate([left, left[:1]]), 5)[:-1]
    return left, left * (-1, 1, 1)
