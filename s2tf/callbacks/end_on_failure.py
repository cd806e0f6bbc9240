"""Immediate report of one rank's failure, before the other ranks' follow-up errors."""

import os
import sys
from pathlib import Path

import lightning as L

from s2tf.fault_tolerance.attempts import Attempts
from s2tf.fault_tolerance.failures import LOST_STATUS, first_failure, lost_another_process, one_line, report_failure
from s2tf.fault_tolerance.messages import say
from s2tf.fault_tolerance.signals import Interruption


class EndOnFailure(L.Callback):
    """Ends a failed rank among several immediately after reporting its traceback, before it waits for the others.

    Lightning would first tear the training down, which on GPUs waits for collectives that the failed rank never joined.
    """

    def __init__(self, folder: Path, attempts: Attempts) -> None:
        self.folder = folder
        self.attempts = attempts

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Report and end this process unless it is alone: status 1, or 74 if it only lost another process."""
        if trainer.world_size == 1 or isinstance(exception, (Interruption, KeyboardInterrupt, SystemExit)):
            return
        try:
            report_failure(exception, self.folder, trainer.global_rank)
            if trainer.is_global_zero:
                # Find the reason of the rank that failed first.
                reason = first_failure(self.folder) or one_line(exception)
                self.attempts.note("end", status="failed", reason=reason)
                _end(trainer)
            sys.stdout.flush()
        except Exception as error:
            say(f"and then, while this process ended: {one_line(error)}")
        finally:
            os._exit(LOST_STATUS if lost_another_process(exception) else 1)


def _end(trainer: L.Trainer) -> None:
    """Tell W&B, and end the ranks that Lightning has started."""
    try:
        for logger in trainer.loggers:
            getattr(logger, "end", logger.finalize)("failed")
    finally:
        for process in getattr(trainer.strategy.launcher, "procs", ()):
            process.kill()
