"""The signals that ask a run to stop, remembered until a batch has ended."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
"""SLURM's `--signal=USR1@SECONDS` before the time is up, and what it sends where a job is preempted or cancelled."""
INTERRUPTED_STATUS = 75
"""Of a process that was asked to stop, has saved its state and wants to go on (EX_TEMPFAIL of sysexits.h)."""


class Interruption(Exception):  # noqa: N818 (nothing went wrong)
    """The run was asked to stop and has saved its state.

    Args:
        reason: what is said of it.
        step: optimizer steps that are saved; None: nothing was done since the checkpoint before.
    """

    def __init__(self, reason: str, step: int | None = None) -> None:
        super().__init__(reason)
        self.step = step


class StopSignals:
    """Whether this process was asked to stop.

    The handler sets a flag and does nothing else: what Lightning's own does within it (saving, a broadcast among the
    ranks) can hang, since the signal comes anywhere in a step, and elsewhere on each rank.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Remember the signals within a `with` block, and give them back behind it.

        In threads other than the main one, where Python has no signals, this does nothing.
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
    """Leave the signals to others, in a process that ends when its parent does.

    SLURM sends them to all processes of a job step; a loader's worker that died of one would take the training with it.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
