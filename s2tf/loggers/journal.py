"""Lightning's logger of the run's journal."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from s2tf.survival.journal import Journal


class JournalLogger(Logger):
    """Writes all that is logged into the journal, through which W&B gets it too."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    @property
    def name(self) -> str:
        """None of its own."""
        return ""

    @property
    def version(self) -> str:
        """None of its own."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """A row of numbers."""
        self.journal.write(int(step or 0), metrics)

    @rank_zero_only
    def log_media(self, media: Mapping[str, str], step: int) -> None:
        """A row of files by name, relative to the run folder: pictures, videos, sounds."""
        self.journal.write(step, {}, media)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The run folder's `config.yaml` has them."""
