"""Lightning's logger of the run's journal."""

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from s2tf.fault_tolerance.journal import Journal


class JournalFollower(Logger):
    """Logger of a tracker whose run continues over restarts: rows and their numbers come from the journal."""

    @property
    @abstractmethod
    def experiment(self) -> Any:
        """The tracker's run."""

    @property
    @abstractmethod
    def page(self) -> str:
        """The address of the tracker's run, `offline` or `disabled`."""

    @abstractmethod
    def follow(self, journal: Journal) -> None:
        """Read the rows from this journal from now on."""

    @abstractmethod
    def guarded(self) -> AbstractContextManager[None]:
        """Continue without the tracker if its process dies within the `with` block."""

    @abstractmethod
    def end(self, status: str) -> None:
        """End the tracker's run: `finished`, `failed` or `interrupted`."""


class JournalLogger(Logger):
    """Writes everything logged into the journal, from which W&B gets it too."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    @property
    def name(self) -> str:
        """Empty: this logger has none."""
        return ""

    @property
    def version(self) -> str:
        """Empty: this logger has none."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write a row of numbers."""
        self.journal.write(int(step or 0), metrics)

    @rank_zero_only
    def log_media(self, media: Mapping[str, str], step: int) -> None:
        """Write a row of files by name, relative to the run folder: pictures, videos, sounds."""
        self.journal.write(step, {}, media)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run folder's `config.yaml` holds them."""
