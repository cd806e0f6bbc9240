"""FID of generated videos over all frames of all clips, in memory that does not grow with a clip's length."""

from collections.abc import Mapping, Sequence
from typing import Any

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import (
    GENERATED,
    NO_FRAME,
    REFERENCE,
    SOURCE_COPY,
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

    A clip's state is its features, which are smaller than their products. A clip of more than `block` frames keeps the
    products of whole blocks instead, so that neither memory nor the state grows with its length.

    Args:
        reader: Network that reads the frames' features.
        block: Frames of each video whose features are held.
    """

    name = "fid"
    packages = ("torch-fidelity",)

    def __init__(self, reader: PictureFeatures, block: int = BLOCK) -> None:
        self.reader, self.block = reader, block
        self.totals = {GENERATED: FrechetDistance(reader), SOURCE_COPY: FrechetDistance(reader)}
        self.clips = 0
        self.features: dict[str, FoldedFeatures] = {}

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return {**self.reader.protocol, "covariance": self.totals[GENERATED].protocol["covariance"]}

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        self.features = {row: FoldedFeatures(self.block) for row in (GENERATED, REFERENCE, SOURCE_COPY)}

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if run.start == 0:
            self.features[SOURCE_COPY].add(self.reader.read(run.reference_tensor[:1]))
        if len(generated := run.generated_tensor[run.compared]):
            self.features[GENERATED].add(self.reader.read(generated))
            self.features[REFERENCE].add(self.reader.read(run.reference_tensor[run.compared]))

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        if not len(self.features[GENERATED]):
            raise MeasureError(NO_FRAME)
        return {f"{row}/{name}": value for row, one in self.features.items() for name, value in one.state().items()}

    def values(self, state: State) -> dict[str, float]:
        """Return nothing: a clip has too few frames for a distance of distributions."""
        return {}

    def add(self, state: State) -> None:
        """See `VideoMeasure.add`."""
        self.clips += 1
        generated, reference, copied = (moments_in(of_row(state, row)) for row in (GENERATED, REFERENCE, SOURCE_COPY))
        self.totals[GENERATED].add_moments(generated, reference)
        self.totals[SOURCE_COPY].add_moments(copied.times(reference.frames), reference)

    @property
    def warnings(self) -> Sequence[str]:
        """See `VideoMeasure.warnings`."""
        return [] if (text := self.totals[GENERATED].warning) is None or not self.clips else [text]

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        frames = int(self.totals[GENERATED].generated_frames)
        if frames < 2:
            return []
        generated, copied = (float(computed(self.totals[row])) for row in (GENERATED, SOURCE_COPY))
        counts = {"clips": self.clips, "failed": failed, "frames": frames}
        return [self.measured("FID", generated, copied, 0, counts, higher_is_better=False)]
