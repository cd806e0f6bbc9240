"""Measures of the motion in generated videos: steadiness along the flow (MAD), landmarks, blinks, head and mouth."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import GENERATED, REFERENCE, MeasureError, MetricMeasure, State, number, protocol_of
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.faces.motion import DetectedMotion, FaceMotion, MotionFinder
from s2tf.faces.tracking import FaceFollower, FaceSettings
from s2tf.metrics.face_statistics import LEAST_FRAMES, FaceStatistics, MotionCorrelation
from s2tf.metrics.landmark_distance import LandmarkDistance
from s2tf.metrics.motion_difference import FlowReader, MotionDifference


class SteadinessMeasure(MetricMeasure):
    """MAD of the generated video and of the reference; the source copy has no motion and no MAD."""

    name = "mad"
    packages = ("torchvision",)
    titles: Mapping[str, str] = {"MAD": "MAD", "MAD of visible pixels": "MAD_visible", "hidden pixels": "hidden"}

    def __init__(self, reader: FlowReader) -> None:
        super().__init__(dict.fromkeys((GENERATED, REFERENCE), partial(MotionDifference, reader)))
        self.last: dict[str, Tensor] = {}

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(self.metrics[GENERATED])

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.last = {}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        for row, frames in (
            (GENERATED, run.generated_tensor[run.compared]),
            (REFERENCE, run.reference_tensor[run.compared]),
        ):
            if row in self.last:
                frames = torch.cat([self.last[row], frames])
            if len(frames):
                self.last[row] = frames[-1:]
            if len(frames) > 1:
                self.rows[row].update(frames)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{GENERATED}/pairs"]):
            raise MeasureError("no two frames after the first, which is the source")
        return state

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        return {"MAD": float(self.of_clip(state)["MAD"])}

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        generated, reference = self.total(), self.total(REFERENCE)
        better = {"MAD": False, "MAD_visible": False, "hidden": None}
        return [
            self.measured(
                title, generated[name], 0, reference[name], self.counts(failed), higher_is_better=better[name]
            )
            for title, name in self.titles.items()
        ]


DISTANCES = {"landmark distance": "face", "lip landmark distance": "lips", "lip shape distance": "canonical_lips"}
CORRELATIONS = {"mouth correlation": "mouth", "eyes correlation": "eyes", "pose correlation": "pose"}
WITHOUT_FACE = "frames without a face"
"""Name, in a clip's state and in the table of clips, for the number of frames without a face in either video."""
MANY = 0.1
"""Share of frames without a face; above it a clip's numbers get a warning."""


class FaceMeasure(MetricMeasure):
    """Landmarks of the generated face against the reference, and the motion of eyes, mouth and head.

    A detector of real faces follows the face through the frames at their own size; distances are in pixels of the
    reference. The judges of synthetic faces read the compared pictures and find no landmarks, so that they give no
    distances. Distances and correlations leave out frames in which either face cannot be read, and the statistics of a
    video leave out frames in which its own face cannot be read. A clip with fewer than ten frames that show both faces
    cannot be measured.

    Args:
        finder: Reader of the faces.
    """

    name = "landmarks"

    def __init__(self, finder: MotionFinder) -> None:
        about = finder.protocol
        statistics = partial(FaceStatistics, about)
        metrics: dict[str, Any] = {
            GENERATED: statistics,
            REFERENCE: statistics,
            "correlation": partial(MotionCorrelation, about),
        }
        if isinstance(finder, DetectedMotion):
            metrics |= dict.fromkeys(("distance", "distance of the copy"), partial(LandmarkDistance, about))
        super().__init__(metrics)
        self.finder = finder
        self.read: dict[str, list[FaceMotion]] = {}
        self.followed: dict[str, FaceFollower] = {}
        self.to_reference = np.ones(2)
        """Factors from pixels of the generated video to pixels of the reference."""
        self.size = 0
        self.doubtful: list[float] = []
        """Shares of frames without a face, for the added clips with a share above `MANY`."""

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
        shown = ("blink", "mouth range", "pose", "correlation", "unit")
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
            **{name: every[name] for name in shown if name in every},
        }

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.read = {GENERATED: [], REFERENCE: []}
        if isinstance(self.finder, DetectedMotion):
            settings = FaceSettings(landmarks=self.finder.name)
            self.followed = {GENERATED: FaceFollower(settings), REFERENCE: FaceFollower(settings)}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`; the source frame is read too, for the source copy."""
        if not isinstance(self.finder, DetectedMotion):
            self.read[GENERATED].append(self.finder.read(run.generated))
            self.read[REFERENCE].append(self.finder.read(run.reference))
            return
        for row, frames in ((GENERATED, run.generated_frames), (REFERENCE, run.reference_frames)):
            for frame in frames:
                self.followed[row].add(frame)
        (generated_height, generated_width), (height, width) = (
            each[0].shape[:2] for each in (run.generated_frames, run.reference_frames)
        )
        self.to_reference = np.array([width / generated_width, height / generated_height])
        self.size = max(height, width)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        if isinstance(self.finder, DetectedMotion):
            motions = self._followed_motions()
        else:
            motions = {row: _joined(self.read[row]) for row in (GENERATED, REFERENCE)}
        _check_faces(motions[GENERATED].known, motions[REFERENCE].known)
        for row, motion in motions.items():
            self.rows[row].update(motion)
        self.rows["correlation"].update(motions[GENERATED], motions[REFERENCE])
        known = motions[GENERATED].known & motions[REFERENCE].known
        return {**super().end(), WITHOUT_FACE: torch.tensor([int((~known).sum()), len(known)])}

    def _followed_motions(self) -> dict[str, FaceMotion]:
        """Finish following both faces, and update the distances of their landmarks."""
        generated, reference = (self.followed[row].finish() for row in (GENERATED, REFERENCE))
        generated = (generated * self.to_reference).astype(reference.dtype)
        source = np.broadcast_to(reference[:1], reference.shape)
        self.rows["distance"].update(generated[1:], reference[1:], self.size)
        self.rows["distance of the copy"].update(source[1:], reference[1:], self.size)
        points = {GENERATED: generated, REFERENCE: reference}
        return {row: FaceMotion.of_landmarks(one[1:], self.size) for row, one in points.items()}

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
        generated, copied = self.total("distance"), self.total("distance of the copy")
        counts = self._counts("distance", failed)
        return [
            self.measured(title, generated[name], copied[name], 0, counts, higher_is_better=False)
            for title, name in DISTANCES.items()
        ]

    def _statistics(self, failed: int) -> list[Measurement]:
        """Compute statistics of each video alone; the value of the reference is the best."""
        generated, reference = self.total(GENERATED), self.total(REFERENCE)
        unseen = {f"{WITHOUT_FACE} in the true video": number(self.totals[REFERENCE], "unread")}
        counts = {**self._counts(GENERATED, failed), **unseen}
        steps = {**counts, "steps between frames": number(self.totals[GENERATED], "step_count")}
        return [
            self.measured(name, value, 0, reference[name], steps if "step" in name else counts, higher_is_better=None)
            for name, value in generated.items()
        ]

    def _counts(self, row: str, failed: int) -> dict[str, int]:
        """Count the clips and the frames of the row's metric; every clip has frames in it."""
        frames, unread = (number(self.totals[row], name) for name in ("frames", "unread"))
        return {"clips": self.clips, "failed": failed, "frames": frames, WITHOUT_FACE: unread}


def _check_faces(generated: np.ndarray, reference: np.ndarray) -> None:
    """Refuse a clip with too few frames that show both faces; the arguments (T,) are True if the face was read."""
    both = int((generated & reference).sum())
    if both >= LEAST_FRAMES:
        return
    raise MeasureError(
        f"too few frames with a face: of {len(reference)} after the source {int(generated.sum())} of the generated "
        f"video, {int(reference.sum())} of the reference and {both} of both at once, expected {LEAST_FRAMES} or more"
    )


def _joined(parts: list[FaceMotion]) -> FaceMotion:
    """Join the parts, without the first frame, which is the source."""
    fields = (np.concatenate([getattr(part, name) for part in parts])[1:] for name in ("lips", "mouth", "eyes", "pose"))
    return FaceMotion(*fields)
