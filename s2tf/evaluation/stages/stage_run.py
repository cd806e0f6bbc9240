"""The skeleton of every stage's evaluation: open a finished run, report progress over its clips, write the scores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores
from s2tf.nn.network import Network, holds_random_part, load_network
from s2tf.runs.finished import finished_config

ItemT = TypeVar("ItemT")
Report = Callable[[str], None]


def silent(text: str) -> None:
    """Reports no progress."""


@dataclass(frozen=True)
class StageRun:
    """A finished run under evaluation: its config and the networks that are measured."""

    folder: Path
    config: Mapping[str, Any]
    networks: Mapping[str, Any]
    report: Report = silent

    @classmethod
    def open(cls, folder: Path, names: Sequence[str], device: str, report: Report = silent) -> "StageRun":
        """Opens a run and loads its networks for inference.

        Args:
            folder: The run's folder.
            names: The networks to load; the first one tells that the run is finished.
            device: Device to compute on.
            report: Called with a line on progress.

        Raises:
            UserError: The run is not finished.
        """
        config = finished_config(folder, names[0])
        networks = {name: load_network(str(folder / "networks" / name)).eval().to(device) for name in names}
        return cls(folder, config, networks, report)

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.folder.parent.name

    @property
    def random_weights(self) -> list[str]:
        """Names of the networks of which any part was never trained: their numbers are no result."""
        return [name for name, network in self.networks.items() if holds_random_part(network)]

    def with_network(self, name: str, network: Network) -> "StageRun":
        """The same run with one more network that its numbers depend on."""
        return replace(self, networks={**self.networks, name: network})

    def count(self, done: int, total: int | None = None, what: str = "clips") -> None:
        """Reports that `done` items are measured."""
        of = f" of {total}" if total is not None else ""
        self.report(f"{self.experiment}: {done}{of} {what}")

    def each(self, items: Iterable[ItemT], total: int | None = None, what: str = "clips") -> Iterator[ItemT]:
        """Yields the items and reports each one once it has been measured."""
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
    ) -> Scores:
        """Writes `metrics.json` into `out`.

        Args:
            kind: The kind of evaluation, as reports know it.
            measurements: The numbers.
            protocol: The conditions that all numbers share.
            out: Folder of the results.
            packages: Packages besides OpenCV and torch whose versions belong to the numbers.
        """
        scores = Scores(kind, self.experiment, list(measurements), dict(protocol), self.random_weights)
        scores.packages = packages
        scores.write(out)
        return scores


def check_counts(test: Any, *names: str) -> None:
    """Refuses options of a test that leave nothing to measure.

    Raises:
        ValueError: One of them is below 1; the message names its option.
    """
    for name in names:
        value = getattr(test, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} {value}: expected 1 or more")
