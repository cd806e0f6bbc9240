"""How generated videos move: steadiness along the flow (MAD), landmarks, blinks, head and mouth."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.media.tracking import FaceFollower, FaceSettings
from s2tf.metrics.face_readings import DetectedMotion, FaceMotion, MotionFinder
from s2tf.metrics.face_statistics import FaceStatistics, MotionCorrelation
from s2tf.metrics.landmark_distance import LandmarkDistance
from s2tf.metrics.motion_difference import FlowReader, MotionDifference
from s2tf.metrics.protocol import Measurement
from s2tf.metrics.video_measure import (
    MADE,
    TRUE,
    MeasureError,
    MetricMeasure,
    State,
    number,
    protocol_of,
)
from s2tf.metrics.video_pairs import ClipPair, FrameRun


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
        return [
            self.measured(title, made[name], 0, true[name], self.counts(failed), higher_is_better=False)
            for title, name in self.titles.items()
        ]


DISTANCES = {"landmark distance": "face", "lip landmark distance": "lips", "lip shape distance": "canonical_lips"}
CORRELATIONS = {"mouth correlation": "mouth", "eyes correlation": "eyes", "pose correlation": "pose"}


class FaceMeasure(MetricMeasure):
    """Landmarks of the generated face against those of the true one, and what eyes, mouth and head do.

    A detector of real faces follows the face through the frames at their own size; distances are in the true video's
    pixels. The judges of synthetic faces read the compared pictures and find no landmarks, so that there are none.

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
        return {**self.finder.protocol, **own, **{name: every[name] for name in told if name in every}}

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
        for row, motion in motions.items():
            self.rows[row].update(motion)
        self.rows["correlation"].update(motions[MADE], motions[TRUE])
        if not number(self.rows[TRUE], "clips"):
            raise MeasureError("no face in the true video, or in too few frames to tell how it moves")
        if not number(self.rows[MADE], "clips"):
            raise MeasureError("no face in the generated video, or in too few frames to tell how it moves")
        return super().end()

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        found = self.of_clip(state, "correlation")
        values = {title: float(found[name]) for title, name in CORRELATIONS.items()}
        if "distance" in self.metrics:
            distances = self.of_clip(state, "distance")
            values |= {title: float(distances[name]) for title, name in DISTANCES.items()}
        return values

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        counts = {**self.counts(failed), "frames without a face": number(self.totals[MADE], "unread")}
        found = self.total("correlation")
        rows = [(title, float(found[name]), 0.0, 1.0, True) for title, name in CORRELATIONS.items()]
        if "distance" in self.totals:
            made, copy = self.total("distance"), self.total("distance of the copy")
            rows += [(title, float(made[name]), float(copy[name]), 0.0, False) for title, name in DISTANCES.items()]
        made, true = self.total(MADE), self.total(TRUE)
        rows += [(name, float(value), 0.0, float(true[name]), True) for name, value in made.items()]
        return [self.measured(title, value, copy, truth, counts, higher) for title, value, copy, truth, higher in rows]


def _joined(parts: list[FaceMotion]) -> FaceMotion:
    """Without the first frame, which is the source."""
    fields = (np.concatenate([getattr(part, name) for part in parts])[1:] for name in ("lips", "mouth", "eyes", "pose"))
    return FaceMotion(*fields)
