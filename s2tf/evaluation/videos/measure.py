"""What is measured on a pair of videos: fed frame by frame, kept clip by clip, merged in any order of processes."""

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

MADE, COPY, TRUE = "made", "copy", "true"
"""The rows that stand beside each other: the generated video, the source frame copied, the reference itself."""
COPY_NAME = "source frame copied"
NO_FRAME = "no frame after the first, which is the source"

COUNTED = ("frames", "pairs", "pairs without a visible pixel")
"""States of metrics that are worth telling beside their numbers."""
OF_CLIPS = ("clips", "failed")
"""What metrics count of clips, of which the measure itself tells."""

State = Mapping[str, Tensor]


class MeasureError(ValueError):
    """A clip on which this cannot be measured; the message says why."""


class VideoMeasure(ABC):
    """One subject of measurement, such as lip sync, for all clips of one process.

    For each clip `begin`, `update` for its runs of frames, `end`; or `add` with a state that `end` gave elsewhere.
    The clips' states are the only thing that passes between processes, so that one process and many give the same.
    """

    name: str

    @property
    @abstractmethod
    def protocol(self) -> Mapping[str, Any]:
        """How it is measured, without counts: part of what tells whether results can be compared."""

    @property
    def packages(self) -> Iterable[str]:
        """What has read the pictures and computed, beside what every measure needs."""
        return ()

    @property
    def software(self) -> Mapping[str, str]:
        """The versions of all that has read and computed; no part of the protocol, see `s2tf.evaluation.software`."""
        return versions([*FRAMES, *self.packages])

    @property
    def random(self) -> bool:
        """Whether a network in it has random weights, so that its numbers are none."""
        return RANDOM_WEIGHTS in self.protocol.values()

    @abstractmethod
    def begin(self, pair: ClipPair) -> None:
        """Forget the clip before."""

    @abstractmethod
    def update(self, run: FrameRun) -> None:
        """Take the next frames.

        Raises:
            MeasureError: It cannot be measured on this clip.
        """

    @abstractmethod
    def end(self) -> State:
        """The clip's state.

        Raises:
            MeasureError: It cannot be measured on this clip.
        """

    @abstractmethod
    def values(self, state: State) -> dict[str, float]:
        """A clip's own numbers, by the column of the table of clips."""

    @abstractmethod
    def add(self, state: State) -> None:
        """Add a clip to the totals."""

    def measured(
        self,
        name: str,
        made: Any,
        copy: Any,
        true: Any,
        counts: Mapping[str, int],
        higher_is_better: bool | None = True,
    ) -> Measurement:
        """A number with the copied source and the reference beside it."""
        values = float(made), self.protocol, float(copy), COPY_NAME, float(true)
        return Measurement(name, *values, higher_is_better=higher_is_better, counts=counts, software=self.software)

    @property
    def warnings(self) -> Sequence[str]:
        """What is doubtful about the numbers of the clips added."""
        return ()

    @abstractmethod
    def measurements(self, failed: int) -> list[Measurement]:
        """Of all clips added; `failed` more could not be measured."""


class MetricMeasure(VideoMeasure):
    """Measured by metrics with sums for states, one for each row.

    Subclasses fill `self.rows`, which are the clip's, in `update`.

    Args:
        metrics: Makes the metric of a row; all that it makes share their network.
        device: Of the clip's rows, which `update` gives frames; the totals only add up.
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

    def of_clip(self, state: State, row: str = MADE) -> Any:
        """What the row's metric computes from a clip's state alone."""
        metric = self.metrics[row]()
        metric.merge_state(of_row(state, row))
        return computed(metric)

    def total(self, row: str = MADE) -> Any:
        """What the row's metric computes of all clips added."""
        return computed(self.totals[row])

    def counts(self, failed: int) -> dict[str, int]:
        """Of clips, and of what the made row's metric counts."""
        counted = {name: number(self.totals[MADE], name) for name in COUNTED if name in self.totals[MADE].metric_state}
        return {"clips": self.clips, "failed": failed, **counted}


def protocol_of(make: Callable[[], Metric]) -> dict[str, Any]:
    """How such a metric measures, without what it counts."""
    metric: Any = make()
    return {name: value for name, value in metric.protocol.items() if name not in (*COUNTED, *OF_CLIPS)}


def number(metric: Metric, state: str) -> int:
    """A state that is a count."""
    return int(torch.as_tensor(metric.metric_state[state]))


def computed(metric: Metric) -> Any:
    """`metric.compute()` of merged states, of which torchmetrics warns that `update` was never called."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``compute`` method of metric", category=UserWarning)
        return metric.compute()


def of_row(state: State, row: str) -> dict[str, Tensor]:
    """What a clip's state says of a row, under the names of the row's own state."""
    return {name.partition("/")[2]: value for name, value in state.items() if name.partition("/")[0] == row}
