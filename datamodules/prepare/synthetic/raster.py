"""Painting on pictures: soft masks of outlines, textures that move with the head, and blending.

Pictures are painted at their own size. What needs sharp edges is drawn on a larger copy of its box, which is then
averaged down: a mask of one channel for large areas, eyes and mouth in colour.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SUBPIXEL = 4
LEAST_BLUR = 0.75
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Grid:
    """The place of a texture's pixels on a plane in face units.

    Attributes:
        left: x of the left edge.
        top: y of the upper edge.
        resolution: Pixels per face unit.
        width: Columns.
        height: Rows.
    """

    left: float
    top: float
    resolution: float
    width: int
    height: int

    @classmethod
    def over(cls, left: float, top: float, right: float, bottom: float, resolution: float) -> "Grid":
        """A grid that covers a rectangle."""
        width, height = (max(2, round((end - start) * resolution)) for start, end in ((left, right), (top, bottom)))
        return cls(left, top, resolution, width, height)

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """X of the columns, (1, width), and y of the rows, (height, 1), float32."""
        x = self.left + (np.arange(self.width, dtype=np.float32) + 0.5) / self.resolution
        y = self.top + (np.arange(self.height, dtype=np.float32) + 0.5) / self.resolution
        return x[None], y[:, None]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2 or more) in face units as fixed-point pixels for OpenCV, (N, 2) int32."""
        place = (points[:, :2] - (self.left, self.top)) * self.resolution - 0.5
        return np.ascontiguousarray(np.rint(place * (1 << SUBPIXEL)), np.int32)

    def mask(self, *outlines: np.ndarray) -> np.ndarray:
        """Paint outlines, (N, 2 or more) each in face units, (height, width) uint8: 255 within, 0 elsewhere."""
        mask = np.zeros((self.height, self.width), np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self.pixels(outline)], (255,), cv2.LINE_AA, SUBPIXEL)
        return mask

    def maps(self, plane: np.ndarray, side: float) -> np.ndarray:
        """Maps (T, 2, 3) from the texture's pixels to a picture's, for `cv2.warpAffine`.

        Args:
            plane: (T, 2, 3), from face units to parts of the picture's side; see `Projection.plane`.
            side: Side of the picture in pixels.
        """
        linear = plane[:, :, :2] * (side / self.resolution)
        start = np.array([self.left, self.top]) + 0.5 / self.resolution
        offset = (plane[:, :, :2] @ start + plane[:, :, 2]) * side - 0.5
        return np.concatenate([linear, offset[:, :, None]], axis=2)


class Area:
    """The box around outlines in each frame, for drawing it alone, if need be enlarged.

    Args:
        outlines: (T, N, 2), in parts of the picture's side.
        side: Side of the picture in pixels.
        margin: Pixels around the outlines that belong to the box.
        over: Enlargement of the box.
    """

    def __init__(self, outlines: np.ndarray, side: int, margin: int = 1, over: int = 2):
        # The smallest and largest of each row of memory: several times faster than across rows.
        rows = np.ascontiguousarray(outlines.swapaxes(1, 2))
        start = np.clip(np.floor(rows.min(axis=2) * side).astype(int) - margin, 0, side - 2)
        end = np.clip(np.ceil(rows.max(axis=2) * side).astype(int) + margin, start + 2, side)
        self.side, self.over = side, over
        self.start = start.astype(np.float32)
        ranges = zip(start.tolist(), end.tolist(), strict=True)
        self.boxes = [(slice(top, bottom), slice(left, right)) for (left, top), (right, bottom) in ranges]
        self.sizes = [(width, height) for width, height in (end - start).tolist()]

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Points (T, N, 2) in parts of the side as fixed-point pixels of the enlarged box, int32."""
        place = points * np.float32(self.side)
        place -= self.start[:, None]
        place *= self.over << SUBPIXEL
        place -= (1 << SUBPIXEL) / 2
        return np.ascontiguousarray(np.rint(place, place), np.int32)

    def inner(self, maps: np.ndarray, enlarged: bool = False) -> np.ndarray:
        """Maps (T, 2, 3) to the pixels of a picture, or of an enlarged one, as maps to those of the box."""
        moved = maps.copy()
        moved[:, :, 2] -= (self.over if enlarged else 1) * self.start
        return moved

    def enlarged(self, picture: np.ndarray, index: int) -> np.ndarray:
        """A copy of the box, each pixel repeated `over` times in both directions; the box itself for 1."""
        part = picture[self.boxes[index]]
        if self.over == 1:
            return part
        return cv2.resize(part, None, fx=self.over, fy=self.over, interpolation=cv2.INTER_NEAREST)

    def put_back(self, picture: np.ndarray, large: np.ndarray, index: int) -> None:
        """Average the enlarged box down and put it into the picture."""
        if self.over == 1:
            return
        cv2.resize(large, self.sizes[index], picture[self.boxes[index]], interpolation=cv2.INTER_AREA)


class Cutout(Area):
    """An area whose outline, (T, N, 2), is painted as a mask with soft edges."""

    def __init__(self, outline: np.ndarray, side: int, margin: int = 1):
        super().__init__(outline, side, margin)
        self.outline = self.fixed(outline)

    def mask(self, index: int) -> np.ndarray:
        """The share of each pixel of the box that the outline covers, uint8."""
        width, height = size = self.sizes[index]
        large = np.zeros((self.over * height, self.over * width), np.uint8)
        cv2.fillPoly(large, [self.outline[index]], (255,), cv2.LINE_8, SUBPIXEL)
        return cv2.resize(large, size, interpolation=cv2.INTER_AREA)


class Tint:
    """A texture that multiplies the picture's colours, soft towards its edges.

    Args:
        ratio: (height, width, 3) factors; 1 at the edges.
        grid: Its place.
        plane: (T, 2, 3), see `Projection.plane`.
        side: Side of the picture in pixels.
        neutral: 8-bit value of the factor 1; 255 / `neutral` is the largest factor.
    """

    def __init__(self, ratio: np.ndarray, grid: Grid, plane: np.ndarray, side: int, neutral: int = 128):
        self.texture = np.clip(np.rint(ratio * neutral), 0, 255).astype(np.uint8)
        self.neutral = neutral
        maps = grid.maps(plane, side)
        corners = np.array([[0, 0], [grid.width, 0], [grid.width, grid.height], [0, grid.height]]) - 0.5
        self.area = Area((maps[:, :, :2] @ corners.T + maps[:, :, 2:]).swapaxes(1, 2) / side, side, 0)
        self.maps = self.area.inner(maps)

    def draw(self, picture: np.ndarray, index: int) -> None:
        """Multiply the picture."""
        part = picture[self.area.boxes[index]]
        cv2.multiply(part, warp(self.texture, self.maps[index], part.shape, self.neutral), part, 1 / self.neutral)


def warp(texture: np.ndarray, placed: np.ndarray, shape: tuple[int, ...], border: int | None = None) -> np.ndarray:
    """Move a texture by a map (2, 3) into a picture of a shape; beyond its edges: the `border`'s value, or repeated."""
    size = (shape[1], shape[0])
    if border is None:
        return cv2.warpAffine(texture, placed, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpAffine(texture, placed, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(border,) * 3)


def blend(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> None:
    """Lay `above` over `below`, in place; `share` (0 to 255) of each pixel is of `above`."""
    weight = cv2.merge((share, share, share))
    kept = cv2.multiply(below, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(cv2.multiply(above, weight, scale=1 / 255), kept, below)


def detail(side: int) -> int:
    """Enlargement of small boxes in which shapes with edges are drawn, for pictures of `side` pixels."""
    return 2 if side <= 256 else 1


class Shapes:
    """Named outlines of each frame in the enlarged box of an area; each name stands for one or more equal polygons.

    Args:
        area: The area.
        points: (T, N, 2) each, in parts of the picture's side.
        polygons: Number of polygons whose points follow one another; 1 for names that are not given.
    """

    def __init__(self, area: Area, points: dict[str, np.ndarray], polygons: dict[str, int]):
        self.smooth = cv2.LINE_AA if area.over == 1 else cv2.LINE_8
        counts = [outline.shape[1] for outline in points.values()]
        fixed = area.fixed(np.concatenate(list(points.values()), axis=1))
        starts = np.cumsum([0, *counts])
        # Where each polygon of each name lies among the points.
        self.places = {}
        for name, start, count in zip(points, starts.tolist(), counts, strict=False):
            each = count // polygons.get(name, 1)
            self.places[name] = [slice(at, at + each) for at in range(start, start + count, each)]
        self.frames = fixed

    def fill(self, picture: np.ndarray, name: str, index: int, colour: tuple[int, ...]) -> None:
        """Fill a shape in the enlarged box of a frame."""
        now = self.frames[index]
        cv2.fillPoly(picture, [now[place] for place in self.places[name]], colour, self.smooth, SUBPIXEL)


def soften(picture: np.ndarray, radius: float) -> np.ndarray:
    """The picture blurred by about `radius` pixels; as it is where that would not be seen."""
    if radius < LEAST_BLUR:
        return picture
    width = 2 * round(radius) + 1
    return cv2.blur(picture, (width, width))
