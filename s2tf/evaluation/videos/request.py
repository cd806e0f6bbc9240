"""The request of one evaluation of videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.evaluation.process_share import Part
from s2tf.evaluation.videos.find_pairs import Missing
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.open_measures import OpenedMeasures
from s2tf.evaluation.videos.pairs import ClipPair

COMPARED_SIZE = 256
"""Side of the compared pictures in pixels, as in the paper."""


@dataclass(frozen=True)
class VideoEvaluation:
    """One evaluation of videos: the clips, the measures, and the folder of the results.

    Args:
        name: Name of the system, for reports.
        pairs: Pairs of videos, in the order of their keys.
        opened: Opened measures.
        out: Folder of the records and the results; a clip with a record of the same measurement is not measured again.
        size: Side at which pictures are compared, pixels.
        missing: Clips with only one of their two videos, by key.
        part: Part of the clips that this process measures.
        random_weights: Networks of the system with random weights, if known.
        generator: Description of the system that generated the videos, if known.
        system: Facts about the system that reports compare with the row of a table.
        datasets: Data sets of the references, if known.
    """

    name: str
    pairs: Sequence[ClipPair]
    opened: OpenedMeasures
    out: Path
    size: int = COMPARED_SIZE
    missing: Mapping[str, Missing] = field(default_factory=dict)
    part: Part = field(default_factory=Part)
    random_weights: Sequence[str] = ()
    generator: str = ""
    system: Mapping[str, Any] = field(default_factory=dict)
    datasets: Sequence[str] = ()

    @property
    def measures(self) -> Sequence[VideoMeasure]:
        """Measures that can be computed."""
        return self.opened.measures

    @property
    def alignment(self) -> dict[str, Any]:
        """Protocol of the alignment of frames."""
        return {
            "frames": "of the same index at 25 a second, from the second on: the first is the source",
            "picture (px)": self.size,
            "resize": "to a square by OpenCV: area averages down, cubic up",
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """Protocol of the alignment and of all measures."""
        return self.alignment | {
            f"{one.name}: {key}": value for one in self.measures for key, value in one.protocol.items()
        }
