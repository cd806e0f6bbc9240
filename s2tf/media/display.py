"""Pictures of a video as a player shows them: upright, with square pixels, without combing, in standard range."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData

TURNS = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (-1, 0, 0, -1): (("hflip", None), ("vflip", None)),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, 1): (("hflip", None),),
    (1, 0, 0, -1): (("vflip", None),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
"""Filters for the eight orientations, by the signs of the display matrix (a, b, c, d): x' = ax + cy, y' = bx + dy."""
ASPECTS = (0.1, 10.0)
"""Width over height of a pixel; a file that states one beyond has a damaged header, and its pixels count as square."""
PQ, HLG = 16, 18
"""Transfer curves of high dynamic range (ITU-T H.273)."""
BT2020 = 9
"""The wide colour space of ITU-R BT.2020 (ITU-T H.273)."""
# libswscale takes 203 nits for white, as ITU-R BT.2408 does, and clips what is brighter.
TO_BT709 = "out_transfer=bt709:out_primaries=bt709:intent=relative_colorimetric"

TimedPicture = tuple[float, float, av.VideoFrame]
"""Timestamp and duration in seconds, and the picture."""
Filter = tuple[str, str | None]
"""Name of a libavfilter filter, and its arguments."""


class Display:
    """Turns pictures of one track into RGB arrays of one size, as a player shows them.

    The pixels' aspect, the display matrix (turns and mirrorings by 90 degrees) and high dynamic range are applied by
    libavfilter. All pictures get the size of the first; a later one of another shape is fitted in, over black.

    Args:
        track: The track.
    """

    def __init__(self, track: av.VideoStream):
        self._track = track
        self._graph: Graph | None = None
        self._looks: tuple[object, ...] = ()
        self.size: tuple[int, int] | None = None
        """(height, width) of the pictures, known after the first."""
        self.wide = False
        """True if a picture was converted from high dynamic range or BT.2020."""
        self.resized = 0
        """The number of times that the pictures' size changed."""

    def rgb(self, picture: av.VideoFrame) -> np.ndarray:
        """The picture as (H, W, 3) uint8 RGB."""
        looks = (picture.width, picture.height, picture.format.name, self._transfer(), _matrix(picture))
        if self._graph is None or looks != self._looks:
            self._graph, self._looks = _graph(picture, (*self._filters(picture), ("format", "rgb24"))), looks
        self._graph.push(picture)
        shown = self._graph.pull().to_ndarray()
        height, width = shown.shape[:2]
        self.size = (height, width) if self.size is None else self.size
        return shown

    def _transfer(self) -> tuple[int, int]:
        context = self._track.codec_context
        return int(context.color_trc), int(context.color_primaries)

    def _aspect(self, across: bool) -> float:
        """Width over height of a pixel as it is shown: the container's comes first, as in FFmpeg's program."""
        aspect = self._track.sample_aspect_ratio or self._track.codec_context.sample_aspect_ratio
        if not aspect or not ASPECTS[0] <= aspect <= ASPECTS[1]:
            return 1.0
        return float(1 / aspect if across else aspect)

    def _filters(self, picture: av.VideoFrame) -> tuple[Filter, ...]:
        """The filters from the stored picture to the shown one."""
        turns = TURNS.get(_matrix(picture), ())
        across = any(name == "transpose" for name, _ in turns)
        stored = (picture.height, picture.width) if across else (picture.width, picture.height)
        width, height = max(1, round(stored[0] * self._aspect(across))), stored[1]
        scale = [] if (width, height) == stored else [f"w={width}:h={height}"]
        transfer, primaries = self._transfer()
        if transfer in (PQ, HLG) or primaries == BT2020:
            self.wide = True
            scale.append(TO_BT709)
        fit: tuple[Filter, ...] = ()
        if self.size is not None and self.size != (height, width):
            self.resized += 1
            h, w = self.size
            fit = (("scale", f"w={w}:h={h}:force_original_aspect_ratio=decrease"), ("pad", f"w={w}:h={h}:x=-1:y=-1"))
        return (*turns, *((("scale", ":".join(scale)),) if scale else ()), *fit)


def deinterlace(pictures: Iterator[TimedPicture]) -> Iterator[TimedPicture]:
    """Merge the two fields of interlaced pictures; the other pictures pass as they are."""
    graph: Graph | None = None
    looks: tuple[object, ...] = ()
    waiting: deque[TimedPicture] = deque()
    for time, duration, picture in pictures:
        now = (picture.width, picture.height, picture.format.name)
        if graph is not None and now != looks:
            yield from _drain(graph, waiting)
            graph = None
        if graph is None and picture.interlaced_frame:
            graph, looks = _graph(picture, (("yadif", "deint=interlaced"),)), now
        if graph is None:
            yield time, duration, picture
            continue
        waiting.append((time, duration, picture))
        graph.push(picture)
        yield from _pull(graph, waiting)
    if graph is not None:
        yield from _drain(graph, waiting)


def _drain(graph: Graph, waiting: deque[TimedPicture]) -> Iterator[TimedPicture]:
    graph.push(None)
    yield from _pull(graph, waiting)


def _pull(graph: Graph, waiting: deque[TimedPicture]) -> Iterator[TimedPicture]:
    """The pictures that the graph has finished, each with the time of the one that it was made from."""
    while True:
        try:
            picture = graph.pull()
        except (av.BlockingIOError, EOFError):
            return
        assert isinstance(picture, av.VideoFrame)
        time, duration, _ = waiting.popleft()
        yield time, duration, picture


def _graph(picture: av.VideoFrame, filters: tuple[Filter, ...]) -> Graph:
    """A chain of filters for pictures like this one."""
    graph = Graph()
    nodes = [
        graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base)
    ]
    nodes += [graph.add(name, arguments) for name, arguments in filters]
    nodes.append(graph.add("buffersink"))
    for first, second in pairwise(nodes):
        first.link_to(second)
    graph.configure()
    return graph


def _matrix(picture: av.VideoFrame) -> tuple[int, int, int, int]:
    """Signs of the display matrix's (a, b, c, d); oblique ones are brought to the nearest right angle."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return 1, 0, 0, 1
    numbers = np.frombuffer(bytes(data), np.int32)[[0, 1, 3, 4]].astype(np.float64)
    largest = np.abs(numbers).max()
    if largest == 0:
        return 1, 0, 0, 1
    a, b, c, d = (int(value) for value in np.sign(numbers) * (np.abs(numbers) > 0.5 * largest))
    return a, b, c, d
