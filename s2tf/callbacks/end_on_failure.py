"""One rank's failure, said first and at once."""

import os
import sys
from pathlib import Path

import lightning as L

from s2tf.survival.failures import report_failure
from s2tf.survival.signals import Interruption


class EndOnFailure(L.Callback):
    """Where one of several ranks fails, it reports its traceback and ends before anything can wait for the others.

    Lightning first tears the training down, which on GPUs waits for collectives that the failed rank never joined.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Report and end this process with status 1, unless it is alone."""
        if trainer.world_size == 1 or isinstance(exception, (Interruption, KeyboardInterrupt, SystemExit)):
            return
        report_failure(exception, self.folder, trainer.global_rank)
        if trainer.is_global_zero:
            _end(trainer)
        sys.stdout.flush()
        os._exit(1)


def _end(trainer: L.Trainer) -> None:
    """Let W&B know, and end the ranks that Lightning has started."""
    for logger in trainer.loggers:
        getattr(logger, "end", logger.finalize)("failed")
    launcher = trainer.strategy.launcher
    for process in getattr(launcher, "procs", ()):
        process.kill()
