"""Hair: a cap over the skull with an inner hairline, and for long hair a mass behind the neck."""

from dataclasses import dataclass

import numpy as np

from datamodules.prepare.synthetic.face import Proportions
from datamodules.prepare.synthetic.speaker import Speaker

SKULL_TOP = 1.12
"""Height of the bare skull above the line of the eyes in face units."""


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


STYLES = {
    "long": Style(0.16, 0.13, 1.55, -0.78, -0.45, 0.25, 1.9, 0.01),
    "wavy": Style(0.2, 0.2, 1.3, -0.74, -0.42, 0.3, 1.6, 0.05),
    "bob": Style(0.18, 0.17, 0.95, -0.74, -0.4, 0.25, 0.95, 0.01),
    "fringe": Style(0.16, 0.12, 1.35, -0.42, -0.36, 0.0, 1.5, 0.01),
    "bun": Style(0.1, 0.03, 0.2, -0.82, -0.5, 0.1, 0.0, 0.0, True),
    "pixie": Style(0.2, 0.08, 0.42, -0.6, -0.4, 0.45, 0.0, 0.01),
    "short": Style(0.14, 0.045, 0.2, -0.72, -0.46, 0.0, 0.0, 0.012),
    "parted": Style(0.19, 0.055, 0.22, -0.7, -0.46, 0.5, 0.0, 0.01),
    "crop": Style(0.065, 0.025, 0.16, -0.76, -0.5, 0.0, 0.0, 0.005),
    "curly": Style(0.22, 0.11, 0.2, -0.68, -0.42, 0.0, 0.0, 0.045),
    "medium": Style(0.18, 0.12, 0.6, -0.7, -0.4, 0.3, 0.6, 0.02),
    "receding": Style(0.06, 0.035, 0.2, -0.98, -0.62, 0.0, 0.0, 0.008),
    "bald": Style(-0.02, 0.035, 0.24, -1.2, -0.3),
}


@dataclass(frozen=True)
class Hair:
    """Outlines of one person's hair, each (N, 3) in face units, for a face at rest; empty lists where there is none.

    Attributes:
        cap: Outlines over the skull and in front of the face.
        back: Outlines behind the neck.
    """

    cap: tuple[np.ndarray, ...]
    back: tuple[np.ndarray, ...]


def skull(size: Proportions, steps: int = 25) -> np.ndarray:
    """The bare skull's outline from the left end of the jaw line over the top to the right one, (steps, 3)."""
    angle = np.linspace(np.pi, 0, steps)
    x = size.cheek * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.86
    return np.stack([x, -SKULL_TOP * np.sin(angle) ** 0.9, np.full(steps, -0.35)], axis=1)


def make_hair(speaker: Speaker, size: Proportions) -> Hair:
    """The outlines of a speaker's hair."""
    style = STYLES[speaker.appearance.hair_style]
    phase = speaker.appearance.hair_phase
    if style.top < 0:
        return Hair(_bald_sides(style, size), ())
    outer = _outer(style, size, phase)
    cap = np.concatenate([outer, _hairline(style, size, phase)[::-1]])
    back = [_back(style, size, phase)] if style.back else []
    if style.bun:
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        centre = np.array([0.0, -SKULL_TOP - 0.16, -0.5])
        back.append(centre + np.stack([0.34 * np.cos(angle), 0.26 * np.sin(angle), 0 * angle], axis=1))
    return Hair((cap,), tuple(back))


def _outer(style: Style, size: Proportions, phase: float) -> np.ndarray:
    arc = skull(size, 33)
    angle = np.linspace(np.pi, 0, 33)
    rise = style.top + style.part * 0.12 * np.cos(angle) * (1 if phase < 0.5 else -1)
    ripple = style.wave * np.sin(np.arange(33) * 1.7 + 6 * phase)
    arc[:, 0] *= 1 + style.side + ripple
    arc[:, 1] *= 1 + rise + ripple
    arc[:, 2] = -0.3
    drop = np.linspace(style.ends, 0, 8)[:-1]
    flare = 1 + style.side + style.wave * np.sin(drop * 9 + 6 * phase) + 0.03 * drop
    left = np.stack([-size.cheek * flare, drop, np.full(7, -0.2)], axis=1)
    return np.concatenate([left, arc, (left * (-1, 1, 1))[::-1]])


def _hairline(style: Style, size: Proportions, phase: float) -> np.ndarray:
    inner = 0.965 if style.ends < 0.5 else 0.93
    x = np.array([-inner, -inner, -0.9, -0.74, -0.5, -0.25, 0, 0.25, 0.5, 0.74, 0.9, inner, inner]) * size.cheek
    shape = np.array([0, 0, 0.0, 0.45, 0.8, 0.97, 1, 0.97, 0.8, 0.45, 0.0, 0, 0])
    y = style.temple + (style.line - style.temple) * shape
    side = 1.0 if phase < 0.5 else -1.0
    y += side * style.part * 0.3 * np.clip(x, -0.6, 0.6) * shape
    y[[0, -1]], y[[1, -2]] = style.ends, min(-0.1, style.ends)
    z = np.where(np.abs(x) > 0.85 * size.cheek, -0.15, 0.15)
    return np.stack([x, y, z], axis=1)


def _back(style: Style, size: Proportions, phase: float) -> np.ndarray:
    half = size.cheek * (1 + style.side)
    y = np.linspace(-0.6, style.back, 12)
    ripple = style.wave * np.sin(9 * y + 6 * phase)
    taper = 1 + 0.05 * y - 0.12 * np.clip(y - 0.8 * style.back, 0, None)
    left = np.stack([-half * (taper + ripple), y, np.full(12, -0.5)], axis=1)
    right = np.stack([half * (taper + ripple[::-1]), y, np.full(12, -0.5)], axis=1)
    return np.concatenate([left, right[::-1]])


def _bald_sides(style: Style, size: Proportions) -> tuple[np.ndarray, ...]:
    left = np.array([[-0.93, 0.24, -0.2], [-1.04, 0.2, -0.3], [-1.06, -0.1, -0.35], [-1.0, -0.45, -0.35]])
    left = np.concatenate([left, [[-0.92, -0.58, -0.35], [-0.9, -0.3, -0.2], [-0.94, 0.0, -0.2]]])
    left[:, 0] *= size.cheek * (1 + style.side - 0.035)
    return left, left * (-1, 1, 1)
