"""Base classes of measures of a pair of videos: they read frame by frame, and keep a state for each clip."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.software import FRAMES, versions
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.nn.published_weights import RANDOM_WEIGHTS

GENERATED, SOURCE_COPY, REFERENCE = "made", "copy", "true"
"""Rows that are compared, by their names in records: the generated video, the source copy, the reference itself."""
SOURCE_COPY_NAME = "source frame copied"
NO_FRAME = "no frame after the first, which is the source"

COUNTED = ("frames", "pairs", "pairs without a visible pixel")
"""States of metrics that are written beside their numbers."""
OF_CLIPS = ("clips", "failed")
"""Counts in the protocols of metrics that a measure counts itself."""

State = Mapping[str, Tensor]


class MeasureError(ValueError):
    """Error for a clip that cannot be measured; the message gives the reason."""


class VideoMeasure(ABC):
    """One subject of measurement, such as lip sync, for all clips of one process.

    Call `begin` for each clip, `update` for its runs of frames, then `end`; call `add` with the states of all clips.
    Processes exchange only the clips' states, so that the numbers do not depend on the number of processes.
    """

    name: str

    @property
    @abstractmethod
    def protocol(self) -> Mapping[str, Any]:
        """Protocol without counts: results of different protocols cannot be compared."""

    @property
    def packages(self) -> Iterable[str]:
        """Packages that read pictures or compute, besides those that every measure needs."""
        return ()

    @property
    def software(self) -> Mapping[str, str]:
        """Versions of all packages that read or compute; no part of the protocol, see `s2tf.evaluation.software`."""
        return versions([*FRAMES, *self.packages])

    @property
    def random(self) -> bool:
        """True if a network has random weights, so that the numbers mean nothing."""
        return RANDOM_WEIGHTS in self.protocol.values()

    @abstractmethod
    def begin(self, pair: ClipPair) -> None:
        """Begin a clip and forget the previous clip."""

    @abstractmethod
    def update(self, run: FrameRun) -> None:
        """Process the next frames.

        Raises:
            MeasureError: This clip cannot be measured.
        """

    @abstractmethod
    def end(self) -> State:
        """Return the clip's state.

        Raises:
            MeasureError: This clip cannot be measured.
        """

    @abstractmethod
    def values(self, state: State) -> dict[str, float]:
        """Compute a clip's own numbers, by column of the table of clips."""

    @abstractmethod
    def add(self, state: State) -> None:
        """Add a clip to the totals."""

    def measured(
        self,
        name: str,
        generated: Any,
        copied: Any,
        reference: Any,
        counts: Mapping[str, int],
        higher_is_better: bool | None = True,
    ) -> Measurement:
        """Make a measurement, with the source copy as baseline and the reference as ground truth."""
        values = float(generated), self.protocol, float(copied), SOURCE_COPY_NAME, float(reference)
        return Measurement(name, *values, higher_is_better=higher_is_better, counts=counts, software=self.software)

    @property
    def warnings(self) -> Sequence[str]:
        """Return warnings about the numbers of the added clips."""
        return ()

    @abstractmethod
    def measurements(self, failed: int) -> list[Measurement]:
        """Compute the numbers of all added clips; `failed` other clips could not be measured."""


class MetricMeasure(VideoMeasure):
    """A measure with a metric for each row; the metrics' states are sums.

    Subclasses update `self.rows`, the metrics of the current clip, in `update`.

    Args:
        metrics: Function that creates the metric of a row; all its metrics share their network.
        device: Device of the clip's metrics, which process the frames in `update`; the totals only add states.
    """

    def __init__(self, metrics: Mapping[str, Callable[[], Metric]], device: str = "cpu") -> None:
        self.metrics, self.device = dict(metrics), device
        self.rows, self.totals = ({name: make() for name, make in metrics.items()} for _ in range(2))
        for metric in self.rows.values():
            metric.to(device)
        self.clips = 0

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`."""
        for metric in self.rows.values():
            metric.reset()

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        return {
            f"{row}/{name}": torch.as_tensor(value).detach().cpu().clone()
            for row, metric in self.rows.items()
            for name, value in metric.metric_state.items()
        }

    def add(self, state: State) -> None:
        """See `VideoMeasure.add`."""
        self.clips += 1
        for row, metric in self.totals.items():
            metric.merge_state(of_row(state, row))

    def of_clip(self, state: State, row: str = GENERATED) -> Any:
        """Compute a row's metric from the state of a single clip."""
        metric = self.metrics[row]()
        metric.merge_state(of_row(state, row))
        return computed(metric)

    def total(self, row: str = GENERATED) -> Any:
        """Compute a row's metric over all added clips."""
        return computed(self.totals[row])

    def counts(self, failed: int) -> dict[str, int]:
        """Count the clips, and the items of the generated row's metric."""
        counted = {
            name: number(self.totals[GENERATED], name)
            for name in COUNTED
            if name in self.totals[GENERATED].metric_state
        }
        return {"clips": self.clips, "failed": failed, **counted}


def protocol_of(make: Callable[[], Metric]) -> dict[str, Any]:
    """Return the protocol of such a metric, without its counts."""
    metric: Any = make()
    return {name: value for name, value in metric.protocol.items() if name not in (*COUNTED, *OF_CLIPS)}


def number(metric: Metric, state: str) -> int:
    """Read a state that is a count."""
    return int(torch.as_tensor(metric.metric_state[state]))


def computed(metric: Metric) -> Any:
    """Compute a metric of merged states, without torchmetrics' warning that `update` was never called."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``compute`` method of metric", category=UserWarning)
        return metric.compute()


def of_row(state: State, row: str) -> dict[str, Tensor]:
    """Select a row of a clip's state, under the names of the state of its metric."""
    return {name.partition("/")[2]: value for name, value in state.items() if name.partition("/")[0] == row}
