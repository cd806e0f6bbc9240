"""Tracks and crops of every face of a clip for SyncNet, as in `syncnet_python`, frame by frame.

Memory does not grow with the clip's length: it contains the frames since the last detection of a face and those of half
the smoothing, and the crops of a face until the face has been visible for long enough.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from s2tf.faces.crop import FaceBox
from s2tf.faces.track_settings import SIZE, TrackSettings

CUT_SIDE = 64
"""Side in pixels of the pictures in which cuts are detected."""


@dataclass(frozen=True)
class TrackCrops:
    """The next crops of one track."""

    track: int
    """Number of the track in its clip."""
    start: int
    """Frame of the clip that the first of these crops shows."""
    crops: np.ndarray
    """(n, size, size, 3) uint8 RGB, n >= 1."""
    last: bool
    """True if the track ends with these crops."""


@dataclass(frozen=True)
class RefusedTrack:
    """A face that was seen but is not cropped."""

    start: int
    """First frame."""
    frames: int
    """Number of frames from its first box to its last."""
    reason: str


class FaceTracker:
    """Links the boxes of successive frames to tracks, and returns the crops of each as soon as their place is known.

    Attributes:
        refused: The tracks that were too short or too small, once they have ended.
    """

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self.refused: list[RefusedTrack] = []
        self._tracks: list[_Track] = []
        self._frames: deque[np.ndarray] = deque()
        self._first = 0
        self._numbers = 0
        self._before: np.ndarray | None = None

    def add(self, frame: np.ndarray, boxes: Sequence[FaceBox] = ()) -> list[TrackCrops]:
        """Takes the next frame of the clip and returns the crops of earlier frames that it completes.

        Args:
            frame: (H, W, 3) uint8 RGB; do not write to it, since it is kept for a while.
            boxes: Its faces; none where none was found, or no detection was made.
        """
        crops = self._end(self._tracks) if self._is_cut(frame) else []
        index = self._first + len(self._frames)
        self._frames.append(frame)
        self._link(index, list(boxes))
        crops += self._end([track for track in self._tracks if index - track.last >= self.settings.max_gap])
        for track in self._tracks:
            self._fill(track)
            crops += track.take()
        needed = min([track.next for track in self._tracks if not track.small], default=index + 1)
        while self._first < needed:
            self._frames.popleft()
            self._first += 1
        return crops

    def finish(self) -> list[TrackCrops]:
        """Ends the clip and returns the remaining crops."""
        return self._end(self._tracks)

    def _link(self, index: int, boxes: list[FaceBox]) -> None:
        """Link each box to the track whose last box it overlaps most, one box per track; others start new tracks."""
        pairs = [(_overlap(box, track.box), track, box) for track in self._tracks for box in boxes]
        linked: set[int] = set()
        for overlap, track, box in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap > self.settings.overlap and track.last < index and id(box) not in linked:
                track.extend(index, box)
                linked.add(id(box))
        for box in boxes:
            if id(box) not in linked:
                self._tracks.append(_Track(self._numbers, index, box, self.settings))
                self._numbers += 1

    def _fill(self, track: "_Track") -> None:
        """Cuts a track's crops out of the frames, as far as its places are known."""
        for place in track.places():
            track.crops.append(crop_face(self._frames[track.next - self._first], *place, self.settings))
            track.next += 1

    def _end(self, tracks: "list[_Track]") -> list[TrackCrops]:
        crops: list[TrackCrops] = []
        for track in list(tracks):
            self._tracks.remove(track)
            track.end()
            if track.refusal:
                self.refused.append(RefusedTrack(track.start, track.frames, track.refusal))
                continue
            self._fill(track)
            crops += track.take(last=True)
        return crops

    def _is_cut(self, frame: np.ndarray) -> bool:
        small = cv2.resize(frame, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA)
        now, before = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.int16), self._before
        self._before = now
        return before is not None and float(np.abs(now - before).mean()) > self.settings.cut


class _Track:
    """One face from its first box to its last, and its crops that have not been returned yet."""

    def __init__(self, number: int, index: int, box: FaceBox, settings: TrackSettings) -> None:
        self.number, self.settings = number, settings
        self.start = self.last = self.next = index
        self.box = box
        self.crops: list[np.ndarray] = []
        self.refusal = ""
        self._judged = False
        self._sides = np.zeros(2)
        self._half = settings.smoothing // 2
        self._places: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)] * self._half)
        self._know(box)

    @property
    def frames(self) -> int:
        """Number of frames from its first box to its last."""
        return self.last + 1 - self.start

    @property
    def small(self) -> bool:
        """True if the track continues without crops."""
        return self._judged and bool(self.refusal)

    def extend(self, index: int, box: FaceBox) -> None:
        """Adds the next box, and interpolated boxes for the frames between."""
        before, after = _edges(self.box), _edges(box)
        steps = index - self.last
        for step in range(1, steps + 1):
            self._know(FaceBox(*(before + (after - before) * (step / steps)).tolist()))
        self.last, self.box = index, box
        if not self._judged and self.frames >= self.settings.min_track:
            self._judge()

    def _judge(self) -> None:
        self._judged = True
        side, least = self._sides.max() / self.frames, self.settings.min_face
        if side < least:
            self.refusal = f"faces of {side:.0f} pixels, expected at least {least:g}"
            self.crops = []

    def end(self) -> None:
        """Ends the track."""
        if not self._judged:
            self.refusal = f"seen for {self.frames} frames, expected at least {self.settings.min_track}"
        self._places.extend([(0.0, 0.0, 0.0)] * self._half)

    def places(self) -> Iterator[tuple[float, float, float]]:
        """Smoothed centre x, y and half-size of the frames from `next` on whose neighbours are known."""
        while len(self._places) >= self.settings.smoothing:
            x, y, half = np.median(list(self._places)[: self.settings.smoothing], axis=0).tolist()
            self._places.popleft()
            if not self.small:
                yield x, y, half

    def take(self, last: bool = False) -> list[TrackCrops]:
        """The crops that have not been returned; none before the track is known to be long and large enough."""
        if not (self._judged and self.crops):
            return []
        crops, self.crops = np.stack(self.crops), []
        return [TrackCrops(self.number, self.next - len(crops), crops, last)]

    def _know(self, box: FaceBox) -> None:
        self._places.append((*box.centre, max(box.width, box.height) / 2))
        self._sides += (box.width, box.height)


def whole_frames(frames: Iterable[np.ndarray], size: int = SIZE) -> Iterator[TrackCrops]:
    """A track of every whole frame, resized to a square without a detector: another common protocol."""
    for index, frame, last in _with_last(frames):
        yield TrackCrops(0, index, _squashed(frame, size)[None], last)


def crop_face(frame: np.ndarray, x: float, y: float, half: float, settings: TrackSettings) -> np.ndarray:
    """The crop (size, size, 3) uint8 of a frame (H, W, 3) uint8 around a face.

    Args:
        frame: The picture.
        x: Horizontal position of the face's centre in pixels.
        y: Vertical position of the face's centre in pixels.
        half: Half the larger side of its box.
        settings: Reach of the crop, grey level beyond the border, and size.
    """
    side = half * (1 + settings.crop_scale)
    left, right = math.floor(x - side), math.floor(x + side)
    top, bottom = math.floor(y - half), math.floor(y + half * (1 + 2 * settings.crop_scale))
    canvas = np.full((max(1, bottom - top), max(1, right - left), 3), settings.padding, np.uint8)
    rows, columns = np.clip((top, bottom), 0, frame.shape[0]), np.clip((left, right), 0, frame.shape[1])
    inside = frame[slice(*rows), slice(*columns)]
    canvas[slice(*(rows - top)), slice(*(columns - left))] = inside
    return _squashed(canvas, settings.size)


def _squashed(image: np.ndarray, size: int) -> np.ndarray:
    # Bilinear, without averaging to shrink, as in the original.
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def _with_last(frames: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Yields index, frame, and whether it is the last frame."""
    index, held = -1, None
    for frame in frames:
        if held is not None:
            yield index, held, False
        index, held = index + 1, frame
    if held is not None:
        yield index, held, True


def _edges(box: FaceBox) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom])


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
