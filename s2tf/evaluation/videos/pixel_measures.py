"""Measures of generated frames beside the reference: pixels, perceptual distance, identity and sharpness."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import (
    GENERATED,
    NO_FRAME,
    REFERENCE,
    SOURCE_COPY,
    MeasureError,
    MetricMeasure,
    State,
    protocol_of,
)
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.faces.features import FaceFeatures
from s2tf.metrics.identity import EVERY, IdentitySimilarity
from s2tf.metrics.image import MSE_FLOOR, FrameQuality
from s2tf.metrics.perceptual_distance import MeanPerceptualDistance, PerceptualDistance
from s2tf.metrics.sharpness import Sharpness

BEST_PSNR = -10 * torch.tensor(MSE_FLOOR).log10().item()
"""PSNR of a frame compared with itself, in dB."""


class FramesBesideReference(MetricMeasure):
    """A metric of (frames, reference frames), for the generated frames and for the source copy.

    Args:
        metric: Function that creates the metric.
        truths: Numbers of the reference frames compared with themselves, by the name of the measurement.
        higher_is_better: Direction of all its numbers.
        device: Device of the metric; a network in it has its own device.
    """

    def __init__(
        self, metric: Callable[[], Metric], truths: Mapping[str, float], higher_is_better: bool, device: str = "cpu"
    ) -> None:
        super().__init__({GENERATED: metric, SOURCE_COPY: metric}, device)
        self.truths, self.higher_is_better = truths, higher_is_better
        self.source: Tensor | None = None

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(self.metrics[GENERATED])

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.source = None

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if self.source is None:
            self.source = run.reference_tensor[:1].to(self.device)
        if chosen := self.chosen(run):
            generated, reference = (
                frames[chosen].to(self.device) for frames in (run.generated_tensor, run.reference_tensor)
            )
            self.rows[GENERATED].update(generated, reference)
            self.rows[SOURCE_COPY].update(self.source.expand_as(reference), reference)

    def chosen(self, run: FrameRun) -> list[int]:
        """List the frames of a run that are compared."""
        return list(range(len(run.reference)))[run.compared]

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{GENERATED}/frames"]):
            raise MeasureError(NO_FRAME)
        return state

    def named(self, values: Any) -> dict[str, float]:
        """Name the numbers of the metric like the measurements."""
        found = values.values() if isinstance(values, Mapping) else [values]
        return {name: float(value) for name, value in zip(self.truths, found, strict=True)}

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        return self.named(self.of_clip(state))

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        generated, copied = self.named(self.total()), self.named(self.total(SOURCE_COPY))
        return [
            self.measured(name, generated[name], copied[name], truth, self.counts(failed), self.higher_is_better)
            for name, truth in self.truths.items()
        ]


class PixelMeasure(FramesBesideReference):
    """PSNR and SSIM."""

    name = "pixels"
    packages = ("torchmetrics",)

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(FrameQuality, {"PSNR": BEST_PSNR, "SSIM": 1.0}, higher_is_better=True, device=device)


class PerceptualMeasure(FramesBesideReference):
    """LPIPS, or another distance of frames."""

    name = "lpips"

    def __init__(self, distance: PerceptualDistance) -> None:
        super().__init__(partial(MeanPerceptualDistance, distance), {distance.name: 0.0}, higher_is_better=False)
        self.distance = distance

    @property
    def packages(self) -> Iterable[str]:
        """See `VideoMeasure.packages`."""
        return self.distance.packages


class IdentityMeasure(FramesBesideReference):
    """Cosine of the face in the generated frame and in the reference frame of the same time.

    Args:
        features: The network that compares the faces.
        label: Label of a second network in the names of its numbers; empty for the first.
    """

    def __init__(self, features: FaceFeatures, label: str = "") -> None:
        metric = partial(IdentitySimilarity, features, every=1)
        self.name = f"identity ({label})" if label else "identity"
        super().__init__(metric, {self.name: 1.0}, higher_is_better=True)
        self.features = features

    @property
    def packages(self) -> Iterable[str]:
        """See `VideoMeasure.packages`."""
        return self.features.packages

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return {**super().protocol, "frames read": f"every {EVERY}. after the first"}

    def chosen(self, run: FrameRun) -> list[int]:
        """See `FramesBesideReference.chosen`; counted from the clip's beginning, independent of its runs."""
        return [index for index in super().chosen(run) if (run.start + index - 1) % EVERY == 0]


class SharpnessMeasure(MetricMeasure):
    """Sharpness of the generated frames and of the reference, each alone."""

    name = "sharpness"
    titles: Mapping[str, str] = {"CPBD": "cpbd", "gradient energy": "gradient_energy"}

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(dict.fromkeys((GENERATED, SOURCE_COPY, REFERENCE), Sharpness), device)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return protocol_of(Sharpness)

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if run.start == 0:
            self.rows[SOURCE_COPY].update(run.reference_tensor[:1].to(self.device))
        if len(generated := run.generated_tensor[run.compared]):
            self.rows[GENERATED].update(generated.to(self.device))
            self.rows[REFERENCE].update(run.reference_tensor[run.compared].to(self.device))

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{GENERATED}/frames"]):
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
        generated, copied, reference = (self.total(row) for row in (GENERATED, SOURCE_COPY, REFERENCE))
        # No direction, since more sharpness than in the reference is noise.
        return [
            self.measured(
                title, generated[name], copied[name], reference[name], self.counts(failed), higher_is_better=None
            )
            for title, name in self.titles.items()
        ]
