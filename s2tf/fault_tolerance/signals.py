"""Signals that ask a run to stop, remembered until a batch has ended."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
"""USR1 is sent by SLURM's `--signal=USR1@SECONDS` before the time limit, TERM when a job is preempted or cancelled."""
INTERRUPTED_STATUS = 75
"""Exit status of a process that was asked to stop and has saved its state (EX_TEMPFAIL of sysexits.h)."""


class Interruption(Exception):  # noqa: N818 (nothing went wrong)
    """The run was asked to stop and has saved its state.

    Args:
        reason: Message about it.
        step: Number of saved optimizer steps, or None if no step was done since the last checkpoint.
    """

    def __init__(self, reason: str, step: int | None = None) -> None:
        super().__init__(reason)
        self.step = step


class StopSignals:
    """Record of the signal by which this process was asked to stop.

    The handler sets a flag and does nothing else. Lightning's own handler saves and broadcasts, which can hang, since
    the signal interrupts each rank at another place of a step.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals within a `with` block, and restore their handlers after it.

        It does nothing in threads other than the main one, where Python has no signals.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)


def ignore_stop_signals() -> None:
    """Ignore the signals in a process that ends with its parent.

    SLURM sends them to all processes of a job step; a loader's worker that such a signal kills would end the training.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
