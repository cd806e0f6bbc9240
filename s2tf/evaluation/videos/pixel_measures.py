"""Generated frames beside the true ones: pixels, perceptual distance, identity and sharpness."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import COPY, MADE, NO_FRAME, TRUE, MeasureError, MetricMeasure, State, protocol_of
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.faces.features import FaceFeatures
from s2tf.metrics.identity import EVERY, IdentitySimilarity
from s2tf.metrics.image import MSE_FLOOR, FrameQuality
from s2tf.metrics.perceptual_distance import MeanPerceptualDistance, PerceptualDistance
from s2tf.metrics.sharpness import Sharpness

BEST_PSNR = -10 * torch.tensor(MSE_FLOOR).log10().item()
"""Of a frame beside itself, dB."""


class FramesBesideTrue(MetricMeasure):
    """What a metric of (frames, true frames) says of the generated frames and of the copied source.

    Args:
        metric: Makes one.
        truths: What it computes for the true frames beside themselves, by the name of the measurement.
        higher_is_better: Of all its numbers.
        device: Where the metric itself computes; that of a network in it is the network's own.
    """

    def __init__(
        self, metric: Callable[[], Metric], truths: Mapping[str, float], higher_is_better: bool, device: str = "cpu"
    ) -> None:
        super().__init__({MADE: metric, COPY: metric}, device)
        self.truths, self.higher_is_better = truths, higher_is_better
        self.source: Tensor | None = None

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(self.metrics[MADE])

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.source = None

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if self.source is None:
            self.source = run.true_tensor[:1].to(self.device)
        if chosen := self.chosen(run):
            made, true = (frames[chosen].to(self.device) for frames in (run.made_tensor, run.true_tensor))
            self.rows[MADE].update(made, true)
            self.rows[COPY].update(self.source.expand_as(true), true)

    def chosen(self, run: FrameRun) -> list[int]:
        """The frames of a run that are compared."""
        return list(range(len(run.true)))[run.compared]

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{MADE}/frames"]):
            raise MeasureError(NO_FRAME)
        return state

    def named(self, values: Any) -> dict[str, float]:
        """What the metric computes, by the names of the measurements."""
        found = values.values() if isinstance(values, Mapping) else [values]
        return {name: float(value) for name, value in zip(self.truths, found, strict=True)}

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        return self.named(self.of_clip(state))

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        made, copy = self.named(self.total()), self.named(self.total(COPY))
        return [
            self.measured(name, made[name], copy[name], truth, self.counts(failed), self.higher_is_better)
            for name, truth in self.truths.items()
        ]


class PixelMeasure(FramesBesideTrue):
    """PSNR and SSIM."""

    name = "pixels"
    packages = ("torchmetrics",)

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(FrameQuality, {"PSNR": BEST_PSNR, "SSIM": 1.0}, higher_is_better=True, device=device)


class PerceptualMeasure(FramesBesideTrue):
    """LPIPS, or another distance of frames."""

    name = "lpips"

    def __init__(self, distance: PerceptualDistance) -> None:
        super().__init__(partial(MeanPerceptualDistance, distance), {distance.name: 0.0}, higher_is_better=False)
        self.distance = distance

    @property
    def packages(self) -> Iterable[str]:
        """See `VideoMeasure.packages`."""
        return self.distance.packages


class IdentityMeasure(FramesBesideTrue):
    """Cosine of the face in the generated and in the true frame of the same time."""

    name = "identity"

    def __init__(self, features: FaceFeatures) -> None:
        metric = partial(IdentitySimilarity, features, every=1)
        super().__init__(metric, {"identity": 1.0}, higher_is_better=True)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return {**super().protocol, "frames read": f"every {EVERY}. after the first"}

    def chosen(self, run: FrameRun) -> list[int]:
        """See `FramesBesideTrue.chosen`; counted from the clip's beginning, whatever the runs."""
        return [index for index in super().chosen(run) if (run.start + index - 1) % EVERY == 0]


class SharpnessMeasure(MetricMeasure):
    """How sharp the generated and the true frames are by themselves."""

    name = "sharpness"
    titles: Mapping[str, str] = {"CPBD": "cpbd", "gradient energy": "gradient_energy"}

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(dict.fromkeys((MADE, COPY, TRUE), Sharpness), device)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(Sharpness)

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if run.start == 0:
            self.rows[COPY].update(run.true_tensor[:1].to(self.device))
        if len(made := run.made_tensor[run.compared]):
            self.rows[MADE].update(made.to(self.device))
            self.rows[TRUE].update(run.true_tensor[run.compared].to(self.device))

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{MADE}/frames"]):
            raise MeasureError(NO_FRAME)
        return state

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        found = self.of_clip(state)
        return {title: float(found[name]) for title, name in self.titles.items()}

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        made, copy, true = (self.total(row) for row in (MADE, COPY, TRUE))
        # More than the truth's is noise.
        return [
            self.measured(title, made[name], copy[name], true[name], self.counts(failed), higher_is_better=None)
            for title, name in self.titles.items()
        ]
