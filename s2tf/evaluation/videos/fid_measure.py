"""FID of generated videos: of all frames of all clips, in memory that no clip's length makes grow."""

from collections.abc import Mapping, Sequence
from typing import Any

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import (
    COPY,
    MADE,
    NO_FRAME,
    TRUE,
    MeasureError,
    State,
    VideoMeasure,
    computed,
    of_row,
)
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.metrics.feature_moments import BLOCK, FoldedFeatures, moments_in
from s2tf.metrics.frechet import FrechetDistance, PictureFeatures


class FrechetMeasure(VideoMeasure):
    """FID over all frames of all clips.

    A clip's state is its features, which are smaller than their products; of a clip of more than `block` frames the
    products of whole blocks, so that neither memory nor the state grows with its length.

    Args:
        reader: What reads the frames' features.
        block: Frames of a side whose features are held.
    """

    name = "fid"
    packages = ("torch-fidelity",)

    def __init__(self, reader: PictureFeatures, block: int = BLOCK) -> None:
        self.reader, self.block = reader, block
        self.totals = {MADE: FrechetDistance(reader), COPY: FrechetDistance(reader)}
        self.clips = 0
        self.features: dict[str, FoldedFeatures] = {}

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return {**self.reader.protocol, "covariance": self.totals[MADE].protocol["covariance"]}

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        self.features = {row: FoldedFeatures(self.block) for row in (MADE, TRUE, COPY)}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if run.start == 0:
            self.features[COPY].add(self.reader.read(run.true_tensor[:1]))
        if len(made := run.made_tensor[run.compared]):
            self.features[MADE].add(self.reader.read(made))
            self.features[TRUE].add(self.reader.read(run.true_tensor[run.compared]))

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        if not len(self.features[MADE]):
            raise MeasureError(NO_FRAME)
        return {f"{row}/{name}": value for row, one in self.features.items() for name, value in one.state().items()}

    def values(self, state: State) -> dict[str, float]:
        """None: a clip has too few frames for a distance of distributions."""
        return {}

    def add(self, state: State) -> None:
        """See `VideoMeasure.add`."""
        self.clips += 1
        made, true, copy = (moments_in(of_row(state, row)) for row in (MADE, TRUE, COPY))
        self.totals[MADE].add_moments(made, true)
        self.totals[COPY].add_moments(copy.times(true.frames), true)

    @property
    def warnings(self) -> Sequence[str]:
        """See `VideoMeasure.warnings`."""
        return [] if (text := self.totals[MADE].warning) is None or not self.clips else [text]

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        frames = int(self.totals[MADE].generated_frames)
        if frames < 2:
            return []
        made, copy = (float(computed(self.totals[row])) for row in (MADE, COPY))
        counts = {"clips": self.clips, "failed": failed, "frames": frames}
        return [self.measured("FID", made, copy, 0, counts, higher_is_better=False)]
