"""The mouth: shaded lips around an opening with teeth and tongue."""

from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.prepare.synthetic.curves import band, between, clamp, spline
from datamodules.prepare.synthetic.face import Projection, framing
from datamodules.prepare.synthetic.layers import Scene
from datamodules.prepare.synthetic.looks import Colour, mix, shade
from datamodules.prepare.synthetic.raster import Area, Grid, Shapes, blend, detail, soften, warp
from datamodules.prepare.synthetic.speaker import Speaker

NEUTRAL = 128
"""8-bit value of shading that changes nothing."""
LIGHT = 0.95
"""The light at the mouth of a face that looks ahead."""
UPPER_LIP = ((0.0, 0.93), (0.22, 0.86), (0.5, 0.76), (0.8, 0.68))
LOWER_LIP = ((0.0, 0.74), (0.2, 0.92), (0.42, 1.06), (0.74, 0.94), (0.9, 0.84))
"""Light on bands of a lip, each from a share of the way from its outer edge to its inner one."""


class Mouth:
    """The mouth of a clip."""

    def __init__(self, speaker: Speaker, scene: Scene, side: int):
        over = detail(side)
        self.unit = framing(scene.size)[0] * side * over
        small = side < 200
        self._colours(speaker, small)
        contours = _contours(scene.face.mouth.astype(np.float32), 2 if small else 5)
        points = _shapes(_Contours(**scene.head.outlines(vars(contours))), contours.gap, scene.head, self.bands)
        self.area = Area(np.concatenate([points["lips"], points["shade"], points["corners"]], axis=1), side, 3, over)
        self.shapes = Shapes(self.area, points, {"corners": 2})
        grid = Grid.over(-0.55, -0.3, 0.55, 0.62, self.unit / over)
        self.inside = mouth_inside(grid)
        plane = scene.head.plane(0.4, moved=_teeth_edge(scene, contours))
        self.maps = self.area.inner(grid.maps(plane, side * over), enlarged=True)

    def _colours(self, speaker: Speaker, small: bool) -> None:
        """Colours of the lips, in bands."""
        skin, woman = speaker.appearance.skin, speaker.gender == "female"
        red = shade(mix(skin, (176, 42, 62), 0.52) if woman else mix(skin, (150, 62, 62), 0.4), LIGHT)
        self.gloss = mix(red, (255, 232, 228), 0.26 if woman else 0.14)
        self.dark = shade(red, 0.32)
        lips = (("upper", UPPER_LIP), ("lower", LOWER_LIP))
        # Few pixels show every second band.
        bands = [(lip, band) for lip, light_of in lips for band in light_of[:: 2 if small else 1]]
        self.bands = [(f"{lip} {start}", lip, start, shade(red, bright)) for lip, (start, bright) in bands]

    def draw(self, picture: np.ndarray, index: int) -> None:
        """Draw a frame's mouth on the skin."""
        large = self.area.enlarged(picture, index)
        soft = 0.012 * self.unit
        # Shadows around the lips, as factors on the skin below.
        factor = np.full_like(large, NEUTRAL)
        self.shapes.fill(factor, "shade", index, (108, 100, 98))
        self.shapes.fill(factor, "corners", index, (98, 92, 90))
        cv2.multiply(large, soften(factor, 2.2 * soft), large, 1 / NEUTRAL)
        # The lips, from their outer edges inwards.
        lips = np.empty_like(large)
        lips[:] = self.bands[0][-1]
        for name, _, _, colour in self.bands:
            self.shapes.fill(lips, name, index, colour)
        self.shapes.fill(lips, "gloss", index, self.gloss)
        self.shapes.fill(lips, "line", index, self.dark)
        blend(large, soften(lips, soft), soften(self._mask(large, "lips", index), soft))
        self._draw_inside(large, index, soft)
        self.area.put_back(picture, large, index)

    def _draw_inside(self, large: np.ndarray, index: int, soft: float) -> None:
        """Draw the opening between the lips, in their shadow."""
        inside = warp(self.inside, self.maps[index], large.shape)
        self.shapes.fill(inside, "tongue", index, (146, 66, 70))
        shadow = np.full_like(large, 100)
        self.shapes.fill(shadow, "clear", index, (255, 255, 255))
        cv2.multiply(soften(inside, 0.5 * soft), soften(shadow, 2 * soft), inside, 1 / 255)
        blend(large, inside, self._mask(large, "opening", index))

    def _mask(self, large: np.ndarray, name: str, index: int) -> np.ndarray:
        mask = np.zeros(large.shape[:2], np.uint8)
        self.shapes.fill(mask, name, index, (255,))
        return mask


@dataclass(frozen=True)
class _Contours:
    """The lips' edges from the left to the right corner, (T, N, 3) each, or (T, N, 2) in the picture."""

    upper: np.ndarray
    above: np.ndarray
    below: np.ndarray
    lower: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Height of the opening, (T, N, 1)."""
        return self.below[:, :, 1:2] - self.above[:, :, 1:2]


def _contours(mouth: np.ndarray, steps: int) -> _Contours:
    upper, lower = spline(mouth[:, :7], steps), spline(mouth[:, [0, 11, 10, 9, 8, 7, 6]], steps)
    count = upper.shape[1]
    return _Contours(
        upper=upper,
        above=_widened(mouth[:, 12:17], count),
        below=_widened(mouth[:, [12, 19, 18, 17, 16]], count),
        lower=lower,
    )


def _shapes(
    lips: _Contours, gap: np.ndarray, head: Projection, bands: list[tuple[str, str, float, Colour]]
) -> dict[str, np.ndarray]:
    """Outlines of the mouth's parts in the picture, (T, N, 2)."""
    count = lips.upper.shape[1]
    # A face unit to the right and down, in the picture.
    right, down = (head.linear[:, None, :, axis].astype(np.float32) for axis in (0, 1))
    bow = (1 - np.linspace(-1, 1, count, dtype=np.float32) ** 2)[:, None]
    hem = bow * down
    lit = clamp(0.2 * gap, 0.008, 0.03) * down, clamp(0.3 * gap - 0.012, -0.012, 0.02) * down
    drop = [(-0.035, -0.012), (0.05, -0.012), (0.05, 0.016), (-0.03, 0.024)]
    corners = [lips.upper[:, k, None] + way * x * right + y * down for k, way in ((0, 1), (-1, -1)) for x, y in drop]
    shapes = {
        "lips": band(lips.upper, lips.lower),
        "shade": band(lips.lower + 0.01 * hem, lips.lower + 0.085 * bow * hem),
        "line": band(lips.above - 0.012 * hem, lips.below + 0.01 * hem),
        "opening": band(lips.above, lips.below),
        "clear": band(lips.above + lit[0], lips.below + lit[1])[:, _middle(count, 0.06)],
        "tongue": _tongue(lips, gap),
        "gloss": between(lips.lower, lips.below, 0.46, 0.68)[:, _middle(count, 0.28)],
        "corners": np.concatenate(corners, axis=1),
    }
    # Each band covers all that lies further inwards; the next one is drawn upon it.
    edges = {"upper": (lips.upper, lips.above), "lower": (lips.lower, lips.below)}
    shapes |= {name: between(*edges[lip], start, 1.0) for name, lip, start, _ in bands}
    return shapes


def _widened(points: np.ndarray, count: int) -> np.ndarray:
    """The inner contour through 5 landmarks with as many points as the outer one, (T, count, 3)."""
    fine = spline(points, 12)
    place = np.linspace(0, fine.shape[1] - 1, count)
    before = np.minimum(place.astype(int), fine.shape[1] - 2)
    share = (place - before)[:, None]
    return (1 - share) * fine[:, before] + share * fine[:, before + 1]


def _middle(count: int, cut: float) -> np.ndarray:
    """Indices of a band's outline without `cut` of its length at both ends."""
    rows = np.arange(round(cut * count), count - round(cut * count))
    return np.concatenate([rows, 2 * count - 1 - rows[::-1]])


def _tongue(lips: _Contours, gap: np.ndarray) -> np.ndarray:
    """The back of the tongue above the lower lip, falling to both sides."""
    across = np.linspace(-1, 1, lips.below.shape[1], dtype=np.float32)[:, None]
    bow = np.sqrt(clamp(1 - (across / 0.8) ** 2, 0, 1))
    top = lips.below - (lips.below - lips.above) * clamp(0.14 / np.maximum(gap, 1e-6), 0, 0.42) * bow
    return band(top, lips.below)


def _teeth_edge(scene: Scene, lips: _Contours) -> np.ndarray:
    """The place (T, 2) of the upper teeth's edge: below the lip as far as the viseme shows them."""
    middle = lips.above.shape[1] // 2
    shown = np.minimum(0.13 * scene.motion.viseme[:, 3], 0.8 * lips.gap[:, middle, 0])
    return np.stack([0 * shown, lips.above[:, middle, 1] + shown], axis=1)


def mouth_inside(grid: Grid) -> np.ndarray:
    """Paint the upper teeth, whose edge lies at y = 0, above the dark of the mouth."""
    x, y = grid.axes()
    # Teeth become narrower towards the sides, which also turn away from the light.
    arc = np.arcsin(clamp(x / 0.42, -0.98, 0.98)) * 0.42
    number = arc / 0.088
    centre = np.abs(number - np.floor(number) - 0.5) * 2
    edge = 0.008 - 0.014 * centre**4 - 0.05 * (x / 0.4) ** 2
    cover = clamp((edge - y) * grid.resolution * 0.7 + 0.5, 0, 1)
    light = (1 - 0.75 * (x / 0.46) ** 2) * (1 - 0.22 * np.exp(-(((1 - centre) / 0.12) ** 2)))
    light = clamp(light, 0.1, 1) * clamp(1.0 + 0.12 * y / 0.13, 0.7, 1)
    teeth = light[:, :, None] * np.array([244, 238, 226], np.float32)
    depth = clamp(0.55 + 1.1 * y, 0.4, 1) * (1 - 0.5 * (x / 0.5) ** 2)
    dark = depth[:, :, None] * np.array([50, 15, 19], np.float32)
    return clamp(dark + cover[:, :, None] * (teeth - dark), 0, 255).astype(np.uint8)
