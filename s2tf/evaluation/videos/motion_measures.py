"""How generated videos move: steadiness along the flow (MAD), landmarks, blinks, head and mouth."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import MADE, TRUE, MeasureError, MetricMeasure, State, number, protocol_of
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.faces.motion import DetectedMotion, FaceMotion, MotionFinder
from s2tf.faces.tracking import FaceFollower, FaceSettings
from s2tf.metrics.face_statistics import LEAST_FRAMES, FaceStatistics, MotionCorrelation
from s2tf.metrics.landmark_distance import LandmarkDistance
from s2tf.metrics.motion_difference import FlowReader, MotionDifference


class SteadinessMeasure(MetricMeasure):
    """MAD of the generated and of the true video; a copied source has none."""

    name = "mad"
    packages = ("torchvision",)
    titles: Mapping[str, str] = {"MAD": "MAD", "MAD of visible pixels": "MAD_visible", "hidden pixels": "hidden"}

    def __init__(self, reader: FlowReader) -> None:
        super().__init__(dict.fromkeys((MADE, TRUE), partial(MotionDifference, reader)))
        self.last: dict[str, Tensor] = {}

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(self.metrics[MADE])

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.last = {}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        for row, frames in ((MADE, run.made_tensor[run.compared]), (TRUE, run.true_tensor[run.compared])):
            if row in self.last:
                frames = torch.cat([self.last[row], frames])
            if len(frames):
                self.last[row] = frames[-1:]
            if len(frames) > 1:
                self.rows[row].update(frames)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{MADE}/pairs"]):
            raise MeasureError("no two frames after the first, which is the source")
        return state

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        return {"MAD": float(self.of_clip(state)["MAD"])}

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        made, true = self.total(), self.total(TRUE)
        better = {"MAD": False, "MAD_visible": False, "hidden": None}
        return [
            self.measured(title, made[name], 0, true[name], self.counts(failed), higher_is_better=better[name])
            for title, name in self.titles.items()
        ]


DISTANCES = {"landmark distance": "face", "lip landmark distance": "lips", "lip shape distance": "canonical_lips"}
CORRELATIONS = {"mouth correlation": "mouth", "eyes correlation": "eyes", "pose correlation": "pose"}
WITHOUT_FACE = "frames without a face"
"""In either video; in a clip's state and in the table of clips."""
MANY = 0.1
"""Of a clip's frames: where more have no face, what the others say is doubtful."""


class FaceMeasure(MetricMeasure):
    """Landmarks of the generated face against those of the true one, and what eyes, mouth and head do.

    A detector of real faces follows the face through the frames at their own size; distances are in the true video's
    pixels. The judges of synthetic faces read the compared pictures and find no landmarks, so that there are none.
    Frames in which the face of either video cannot be read are in no distance and no correlation, those of one video
    not in its own statistics; a clip with fewer than ten frames that show both faces cannot be measured.

    Args:
        finder: Reads the faces.
    """

    name = "landmarks"

    def __init__(self, finder: MotionFinder) -> None:
        about = finder.protocol
        statistics = partial(FaceStatistics, about)
        metrics: dict[str, Any] = {MADE: statistics, TRUE: statistics, "correlation": partial(MotionCorrelation, about)}
        if isinstance(finder, DetectedMotion):
            metrics |= dict.fromkeys(("distance", "distance of the copy"), partial(LandmarkDistance, about))
        super().__init__(metrics)
        self.finder = finder
        self.read: dict[str, list[FaceMotion]] = {}
        self.followed: dict[str, FaceFollower] = {}
        self.to_true = np.ones(2)
        """From the generated video's pixels to the true one's."""
        self.size = 0
        self.doubtful: list[float] = []
        """Of the clips added, the shares of frames without a face above `MANY`."""

    @property
    def packages(self) -> Iterable[str]:
        """See `VideoMeasure.packages`."""
        if not isinstance(self.finder, DetectedMotion):
            return self.finder.packages
        settings = FaceSettings()
        return *self.finder.packages, settings.detector, settings.second_chance

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        told = ("blink", "mouth range", "pose", "correlation", "unit")
        every: dict[str, Any] = {}
        for make in self.metrics.values():
            every |= protocol_of(make)
        own = {}
        if isinstance(self.finder, DetectedMotion):
            settings = FaceSettings()
            own = {
                "frames": "at their own size, each face followed",
                "detector": f"{settings.detector}, where it finds none {settings.second_chance}",
                "of several faces": "the largest where it is first seen",
            }
        least = f"with {LEAST_FRAMES} frames or more that show both faces"
        return {
            **self.finder.protocol,
            **own,
            "clips counted": least,
            **{name: every[name] for name in told if name in every},
        }

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.read = {MADE: [], TRUE: []}
        if isinstance(self.finder, DetectedMotion):
            settings = FaceSettings(landmarks=self.finder.name)
            self.followed = {MADE: FaceFollower(settings), TRUE: FaceFollower(settings)}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`; the source frame is read too, for the copy."""
        if not isinstance(self.finder, DetectedMotion):
            self.read[MADE].append(self.finder.read(run.made))
            self.read[TRUE].append(self.finder.read(run.true))
            return
        for row, frames in ((MADE, run.made_frames), (TRUE, run.true_frames)):
            for frame in frames:
                self.followed[row].add(frame)
        (made_height, made_width), (height, width) = (each[0].shape[:2] for each in (run.made_frames, run.true_frames))
        self.to_true = np.array([width / made_width, height / made_height])
        self.size = max(height, width)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        motions = {}
        if isinstance(self.finder, DetectedMotion):
            made, true = (self.followed[row].finish() for row in (MADE, TRUE))
            made = (made * self.to_true).astype(true.dtype)
            source = np.broadcast_to(true[:1], true.shape)
            self.rows["distance"].update(made[1:], true[1:], self.size)
            self.rows["distance of the copy"].update(source[1:], true[1:], self.size)
            motions = {
                row: FaceMotion.of_landmarks(points[1:], self.size) for row, points in ((MADE, made), (TRUE, true))
            }
        else:
            motions = {row: _joined(self.read[row]) for row in (MADE, TRUE)}
        _check_faces(motions[MADE].known, motions[TRUE].known)
        for row, motion in motions.items():
            self.rows[row].update(motion)
        self.rows["correlation"].update(motions[MADE], motions[TRUE])
        known = motions[MADE].known & motions[TRUE].known
        return {**super().end(), WITHOUT_FACE: torch.tensor([int((~known).sum()), len(known)])}

    def add(self, state: State) -> None:
        """See `VideoMeasure.add`."""
        super().add(state)
        missing, frames = state[WITHOUT_FACE].tolist()
        if missing > MANY * frames:
            self.doubtful.append(missing / frames)

    @property
    def warnings(self) -> Sequence[str]:
        """See `VideoMeasure.warnings`."""
        if not self.doubtful:
            return []
        return [
            f"landmarks: in {len(self.doubtful)} of {self.clips} clips more than {MANY:.0%} of the frames have no face "
            f"in one of the videos ({max(self.doubtful):.0%} in the worst): these frames are left out"
        ]

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        found = self.of_clip(state, "correlation")
        values = {title: float(found[name]) for title, name in CORRELATIONS.items()}
        if "distance" in self.metrics:
            distances = self.of_clip(state, "distance")
            values |= {title: float(distances[name]) for title, name in DISTANCES.items()}
        return {**values, WITHOUT_FACE: int(state[WITHOUT_FACE][0])}

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        return [*self._correlations(failed), *self._distances(failed), *self._statistics(failed)]

    def _correlations(self, failed: int) -> list[Measurement]:
        metric: Any = self.totals["correlation"]
        found = self.total("correlation")
        return [
            self.measured(title, found[name], 0, 1, {"failed": failed, **metric.counts(name)})
            for title, name in CORRELATIONS.items()
        ]

    def _distances(self, failed: int) -> list[Measurement]:
        if "distance" not in self.totals:
            return []
        made, copy = self.total("distance"), self.total("distance of the copy")
        counts = self._counts("distance", failed)
        return [
            self.measured(title, made[name], copy[name], 0, counts, higher_is_better=False)
            for title, name in DISTANCES.items()
        ]

    def _statistics(self, failed: int) -> list[Measurement]:
        """Of each video by itself; the truth's value is the best, neither more nor less."""
        made, true = self.total(MADE), self.total(TRUE)
        unseen = {f"{WITHOUT_FACE} in the true video": number(self.totals[TRUE], "unread")}
        counts = {**self._counts(MADE, failed), **unseen}
        steps = {**counts, "steps between frames": number(self.totals[MADE], "step_count")}
        return [
            self.measured(name, value, 0, true[name], steps if "step" in name else counts, higher_is_better=None)
            for name, value in made.items()
        ]

    def _counts(self, row: str, failed: int) -> dict[str, int]:
        """Of the clips, all of which have frames in the row's metric, and of the metric's frames."""
        frames, unread = (number(self.totals[row], name) for name in ("frames", "unread"))
        return {"clips": self.clips, "failed": failed, "frames": frames, WITHOUT_FACE: unread}


def _check_faces(made: np.ndarray, true: np.ndarray) -> None:
    """Refuse a clip in which too few frames show both faces, (T,) bool each: whether the frame could be read."""
    both = int((made & true).sum())
    if both >= LEAST_FRAMES:
        return
    raise MeasureError(
        f"too few frames with a face: of {len(true)} after the source {int(made.sum())} of the generated video, "
        f"{int(true.sum())} of the true one and {both} of both at once, expected {LEAST_FRAMES} at least"
    )


def _joined(parts: list[FaceMotion]) -> FaceMotion:
    """Without the first frame, which is the source."""
    fields = (np.concatenate([getattr(part, name) for part in parts])[1:] for name in ("lips", "mouth", "eyes", "pose"))
    return FaceMotion(*fields)
