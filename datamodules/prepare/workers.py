"""Worker processes that prepare recordings: results come in order, and no recording can stop the others."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

import cv2

from datamodules.prepare.clip import ClipSettings, PreparedClip, prepare_clip
from datamodules.prepare.recording import PrepareError, Recording
from datamodules.prepare.summary import Failure
from datamodules.shards.reading import one_line

PATIENCE = 3600.0
"""Longest time for a recording, in seconds."""

Job = tuple[Recording, str, ClipSettings]
"""A recording, its split, and its treatment."""


def results(jobs: list[Job], workers: int) -> Iterator[PreparedClip | Failure]:
    """The outcome of each job, in order; a job that kills its process is a failure.

    Args:
        jobs: The recordings to prepare.
        workers: Number of processes, or 0 for this process.
    """
    if workers == 0:
        yield from map(_run, jobs)
        return
    begin = 0
    while begin < len(jobs):
        for result in _pooled(jobs, begin, workers):
            begin += 1
            yield result
        if begin < len(jobs):
            # A job in the pool has killed its process: try this job alone, so that only a recording that
            # kills its own process counts as a failure.
            yield _alone(jobs[begin])
            begin += 1


def _run(job: Job) -> PreparedClip | Failure:
    """Prepare one recording in this process; any exception becomes a failure."""
    recording, split, settings = job
    try:
        return prepare_clip(recording, split, settings)
    except PrepareError as error:
        return Failure(recording.key, error.step, error.reason)
    except (ImportError, FileNotFoundError, MemoryError) as error:
        return Failure(recording.key, "error", one_line(error))
    except Exception as error:
        return Failure(recording.key, "error", f"{type(error).__name__}: {one_line(error)}")


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, since forked children of a process that runs threads (torch, mediapipe) may hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)


def _pooled(jobs: list[Job], begin: int, workers: int) -> Iterator[PreparedClip | Failure]:
    """Results in order until all are done or a worker dies; at most two per worker wait in memory."""
    waiting: deque[Future[PreparedClip | Failure]] = deque()
    with _pool(workers) as pool:
        try:
            for job in islice(jobs, begin, None):
                waiting.append(pool.submit(_run, job))
                if len(waiting) >= 2 * workers:
                    yield _wait(waiting.popleft())
            while waiting:
                yield _wait(waiting.popleft())
        except BrokenProcessPool:
            return
        finally:
            for future in waiting:
                future.cancel()


def _alone(job: Job) -> PreparedClip | Failure:
    with _pool(1) as pool:
        try:
            return _wait(pool.submit(_run, job))
        except BrokenProcessPool:
            reason = f"the process that prepared it crashed, was killed, or was not done after {PATIENCE:.0f} s"
            return Failure(job[0].key, "crash", reason)


def _wait(future: "Future[PreparedClip | Failure]") -> PreparedClip | Failure:
    """The result of a job; a pool that takes too long is killed.

    Raises:
        BrokenProcessPool: The pool was killed, or one of its processes died.
    """
    try:
        return future.result(timeout=PATIENCE)
    except TimeoutError as error:
        for process in multiprocessing.active_children():
            process.kill()
        raise BrokenProcessPool(f"a recording took more than {PATIENCE} s") from error
