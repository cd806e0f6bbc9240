"""The flow of hair: which strand passes where, and the light that combed hair throws back."""

from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import clamp
from datamodules.prepare.synthetic.hair import SKULL_TOP, Style, swept

PART = 0.3
"""Distance of a parting from the middle in face units."""


@dataclass(frozen=True)
class Flow:
    """Fields on a grid, (height, width) float32 each.

    Attributes:
        turn: The strand, as a share of all; strands are columns of a noise.
        row: The place along it.
        shine: Light thrown back.
        shadow: Share of the light that is kept away.
    """

    turn: np.ndarray
    row: np.ndarray
    shine: np.ndarray
    shadow: np.ndarray


def flow_of(style: Style, phase: float, light: float, x: np.ndarray, y: np.ndarray) -> Flow:
    """The flow of a style on a grid's axes; `phase` places parting and waves, `light` is the light's direction."""
    return _combed(style, phase, light, x, y) if swept(style) else _falling(style, light, x, y)


def beside_parting(phase: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to the right of the parting, which ends above the forehead."""
    return x - (-PART if phase < 0.5 else PART) * clamp(-y / 0.9, 0, 1)


def _combed(style: Style, phase: float, light: float, x: np.ndarray, y: np.ndarray) -> Flow:
    """Strands from a parting along the hairline to the temples, and straight down from there."""
    up = np.minimum(y, 0)
    across = beside_parting(phase, x, y)
    angle, far = np.arctan2(np.abs(across), -up), np.hypot(across, up)
    # Layers lie between the hairline, 0, and the outline, 1, both ellipses.
    sine, cosine = np.sin(angle), np.cos(angle)
    inner = 1 / np.hypot(sine / 0.92, cosine / -style.line)
    outer = 1 / np.hypot(sine / (1 + style.side), cosine / (SKULL_TOP * (1 + style.top)))
    layer = (far - inner) / (outer - inner)
    along = angle + np.maximum(y, 0)
    wavy = style.strands == "wavy"
    bend = 0.16 * clamp(along - 0.4, 0, 1) if wavy else 0.03
    layer = layer + bend * np.sin((7 if wavy else 2.5) * along + 6 * phase + 1.5 * layer)
    shine = 0.22 * (0.55 + 0.4 * np.sign(across) * light) * np.exp(-(((angle - 0.75) / 0.26) ** 2))
    shine = shine * clamp(1 + 4 * y, 0, 1) + 0.12 * np.exp(-(((y - 0.7) / 0.25) ** 2))
    parting = np.exp(-((across / 0.03) ** 2)) * clamp(-8 * (y + 0.6), 0, 1)
    edges = clamp((2 * layer - 1) ** 2, 0, 1.2) * clamp(2 * layer + 1, 0, 1)
    return Flow(layer / 13 + 0.3, 6 + 3 * along, shine, 0.2 * edges + 0.24 * parting - 0.06)


def _falling(style: Style, light: float, x: np.ndarray, y: np.ndarray) -> Flow:
    """Strands that fall from the crown."""
    long = style.strands == "long"
    angle, far = np.arctan2(x, y - style.crown), np.hypot(x, y - style.crown)
    angle = angle + (0.02 if long else 0.05) * np.sin(2.6 * far + 3 * np.sin(4 * angle))
    # About the same number of strands across the head for every height of the crown.
    turn = angle * (max(1.0, -style.crown - 0.6) / 6.4) + 0.5
    radius = np.hypot(x - 0.25 * light, 0.95 * y)
    shine = (0.1 if style.strands == "curly" else 0.2) * np.exp(-(((radius - 1.0) / 0.15) ** 2))
    crown = clamp(radius - 1.05, 0, 0.4) * clamp(-2 * y, 0, 1)
    return Flow(turn, far * (4.0 if long else 7.0), shine * clamp(0.2 - 2.5 * y, 0, 1), 0.5 * crown)


def relief(seeds: list[int], style: Style, turn: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fine strands and locks of unit variance, (height, width) each, for the fields `turn` and `row` of a flow."""
    rng = np.random.default_rng(seeds)
    if style.strands == "curly":
        return _curls(rng, turn.shape)
    # Number of strands, and their length in rows.
    counts = {"long": ((512, 5.0), (72, 5.0)), "short": ((400, 1.3), (90, 1.6))}
    chosen = counts.get(style.strands, ((512, 4.0), (110, 4.0)))
    fine, locks = (_looked_up(_columns(rng, count, length), turn, row) for count, length in chosen)
    return fine, locks


def _columns(rng: np.random.Generator, count: int, length: float) -> np.ndarray:
    """Noise whose columns are strands, (rows, count) of unit variance."""
    noise: np.ndarray = rng.standard_normal((18, count), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.45, sigmaY=length, borderType=cv2.BORDER_REFLECT)
    return noise / np.float32(cv2.meanStdDev(noise)[1][0, 0])


def _looked_up(noise: np.ndarray, turn: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Noise at `turn` (0 to 1 across its columns) and `row`."""
    across = np.abs(turn) * np.float32(noise.shape[1])
    return cv2.remap(noise, across, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _curls(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Small knots and ridges of a smooth noise: bends in all directions."""
    fine, locks = (
        cv2.resize(rng.standard_normal((cells, cells), np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
        for cells in (90, 30)
    )
    # A ridge wherever the noise crosses 0.
    return 0.9 * fine, clamp(0.7 - 1.7 * np.abs(locks), -1.4, 0.8)
