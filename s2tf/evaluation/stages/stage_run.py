"""Steps of every stage's evaluation: open a finished run, report progress over its clips, write the scores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from s2tf.errors import require_at_least_one
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores
from s2tf.nn.network import Network, holds_random_part, load_network
from s2tf.runs.finished import finished_config

ItemT = TypeVar("ItemT")
Report = Callable[[str], None]


def silent(text: str) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class StageRun:
    """A finished run under evaluation: its config and the networks that are measured."""

    folder: Path
    config: Mapping[str, Any]
    networks: Mapping[str, Any]
    report: Report = silent

    @classmethod
    def open(cls, folder: Path, names: Sequence[str], device: str, report: Report = silent) -> "StageRun":
        """Open a run and load its networks for inference.

        Args:
            folder: The run's folder.
            names: The networks to load; if the first is in the folder, the run is finished.
            device: Device to compute on.
            report: Function that is called with a line about the progress.

        Raises:
            UserError: The run is not finished.
        """
        config = finished_config(folder, names[0])
        networks = {name: load_network(str(folder / "networks" / name)).eval().to(device) for name in names}
        return cls(folder, config, networks, report)

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self.folder.parent.name

    @property
    def random_weights(self) -> list[str]:
        """Names of the networks with a part that was never trained: their numbers are no result."""
        return [name for name, network in self.networks.items() if holds_random_part(network)]

    def with_network(self, name: str, network: Network) -> "StageRun":
        """Return the same run with another network on which its numbers depend."""
        return replace(self, networks={**self.networks, name: network})

    def count(self, done: int, total: int | None = None, what: str = "clips") -> None:
        """Report that `done` items are measured."""
        of = f" of {total}" if total is not None else ""
        self.report(f"{self.experiment}: {done}{of} {what}")

    def each(self, items: Iterable[ItemT], total: int | None = None, what: str = "clips") -> Iterator[ItemT]:
        """Yield the items, and report each item after it has been measured."""
        for number, item in enumerate(items, start=1):
            yield item
            self.count(number, total, what)

    def write(
        self,
        kind: str,
        measurements: Sequence[Measurement],
        protocol: Mapping[str, Any],
        out: Path,
        packages: Sequence[str] = (),
        datasets: Sequence[str] = (),
    ) -> Scores:
        """Write `metrics.json` into `out`.

        Args:
            kind: The kind of evaluation, by which reports find it.
            measurements: The numbers.
            protocol: The conditions that all numbers share.
            out: Folder of the results.
            packages: Packages besides OpenCV and torch whose versions belong to the numbers.
            datasets: Data sets of the clips, see `datasets_of`.
        """
        scores = Scores(kind, self.experiment, list(measurements), dict(protocol), self.random_weights)
        scores.packages, scores.datasets = packages, datasets
        scores.write(out)
        return scores


def check_counts(test: Any, *names: str) -> None:
    """Refuse options of a test that leave nothing to measure.

    Raises:
        ValueError: An option is below 1; the message names it.
    """
    require_at_least_one("--", **{name: getattr(test, name) for name in names})
