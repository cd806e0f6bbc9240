"""The start of a loader's worker process."""

import ctypes
import gc

import cv2

from s2tf.fault_tolerance.signals import ignore_stop_signals

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`."""


def start_loader_worker(_: int) -> None:
    """Prepare a loader's worker, which leaves stop signals to the process that trains."""
    ignore_stop_signals()
    start_worker()


def start_worker() -> None:
    """Prepare a process that loads batches and does nothing else."""
    cv2.setNumThreads(0)
    reuse_memory()
    # The modules loaded so far stay for the process's whole life: without the freeze, the garbage collector would visit
    # them again and again, and each visit would copy a forked process's shared memory.
    gc.freeze()


def reuse_memory() -> None:
    """Keep freed memory in this process, for the next batch.

    glibc returns a batch's memory to the system and asks for fresh pages for the next batch, which took a third as
    long as the decoding. Has no effect on systems without glibc.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**30)
