"""Generated frames beside the true ones: PSNR, SSIM and the perceptual distance."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.metrics.image import FrameQuality
from s2tf.metrics.protocol import Measurement
from s2tf.metrics.video_measure import COPY, COPY_NAME, MADE, MeasureError, MetricMeasure, State
from s2tf.metrics.video_pairs import ClipPair, FrameRun


class FramesBesideTrue(MetricMeasure):
    """What metrics of (frames, true frames) say of the generated frames and of the copied source."""

    def __init__(self, metric: Callable[[], Metric]) -> None:
        super().__init__({MADE: metric(), COPY: metric()})
        self.source: Tensor | None = None

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        super().begin(pair)
        self.source = None

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`."""
        if self.source is None:
            self.source = run.true_tensor[:1]
        made, true = run.made_tensor[run.compared], run.true_tensor[run.compared]
        if len(true):
            self.rows[MADE].update(made, true)
            self.rows[COPY].update(self.source.expand_as(true), true)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        state = super().end()
        if not int(state[f"{MADE}/frames"]):
            raise MeasureError("no frame after the first, which is the source")
        return state


class PixelMeasure(FramesBesideTrue):
    """PSNR and SSIM."""

    name = "pixels"

    def __init__(self) -> None:
        super().__init__(FrameQuality)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        return {name: text for name, text in FrameQuality().protocol.items() if name != "frames"}

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        return {name.upper(): float(value) for name, value in self.of_clip(state).items()}

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        made, copy = self.total(), self.total(COPY)
        # What a frame is worth beside itself.
        true = FrameQuality()
        true.update(*(torch.zeros(1, 3, 16, 16, dtype=torch.uint8),) * 2)
        counts = self.counts(failed) | {"frames": int(torch.as_tensor(self.totals[MADE].frames))}
        return [
            Measurement(
                name.upper(),
                float(made[name]),
                self.protocol,
                float(copy[name]),
                COPY_NAME,
                float(value),
                counts=counts,
            )
            for name, value in true.compute().items()
        ]
