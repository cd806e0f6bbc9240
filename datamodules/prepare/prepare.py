"""Recordings → shards, a ledger of what could not be used, and a summary whose counts add up."""

import csv
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2

from datamodules.prepare.clip import ClipSettings, PreparedClip, prepare_clip
from datamodules.prepare.recording import PrepareError, Recording
from datamodules.prepare.summary import Failure, PrepareSummary
from datamodules.samples import KEY, SPLITS
from datamodules.shards import AUDIO_SETTINGS, ShardWriter, write_manifest
from datamodules.sources import MANIFEST
from s2tf.media.faces import CropRule
from s2tf.media.tracking import FaceSettings

FAILURES = "failures.csv"


def prepare(
    recordings: Iterable[Recording],
    out: Path,
    *,
    rule: CropRule,
    faces: FaceSettings = FaceSettings(),  # noqa: B008 (frozen)
    workers: int = 1,
    max_seconds: float | None = None,
    min_seconds: float = 1.0,
    min_face_px: float = 0.0,
    jpeg_quality: int = 92,
    samples_per_shard: int = 64,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> PrepareSummary:
    """Prepare recordings into a folder of shards.

    The same recordings and settings give the same bytes in the same order, whatever the number of workers. A
    recording that cannot be used is a row of `failures.csv` and never stops the others, even if it kills its worker.

    Args:
        recordings: What a reader gives; their keys must be unique.
        out: Folder for the shards, `failures.csv` and `manifest.json`, which comes last; made when missing. What an
            unfinished preparation left there is removed.
        rule: The crop, stored in every sample.
        faces: How faces are found where a recording has no landmarks of its own.
        workers: Processes; 1: this one.
        max_seconds: Longer clips are cut to this, and counted.
        min_seconds: Shorter clips fail.
        min_face_px: Clips with smaller faces fail; 0: none does.
        jpeg_quality: Of the stored frames.
        samples_per_shard: Clips in a tar file.
        on_progress: Called after each recording with how many are done, how many there are, and its key.

    Raises:
        ValueError: Keys are not unique, a speaker is in two splits, or `out` holds finished shards already.
    """
    todo = [replace(recording, max_seconds=max_seconds or recording.max_seconds) for recording in recordings]
    _check_keys(todo)
    splits = _splits(todo)
    _make_folder(out)
    settings = ClipSettings(rule, faces, min_seconds, max_seconds, min_face_px, jpeg_quality)
    summary = PrepareSummary(recordings=len(todo))
    writers = {name: ShardWriter(out, name, samples_per_shard) for name in SPLITS}
    jobs = [(recording, splits[recording.identity], settings) for recording in todo]
    for done, (recording, result) in enumerate(zip(todo, _results(jobs, workers), strict=True), start=1):
        if isinstance(result, Failure):
            summary.failures.append(result)
        else:
            writers[result.split].write(result.key, result.members)
            summary.add(result)
        if on_progress is not None:
            on_progress(done, len(todo), recording.key)
    for name, writer in writers.items():
        writer.close()
        summary.splits[name].shards = writer.shards
    _write_failures(out / FAILURES, summary.failures)
    write_manifest(out, _manifest(summary, settings))
    return summary


def _check_keys(recordings: list[Recording]) -> None:
    seen: set[str] = set()
    for recording in recordings:
        if not KEY.fullmatch(recording.key):
            raise ValueError(f"recording {recording.key!r}: a key has letters, digits, '_' and '-' only")
        if recording.key in seen:
            raise ValueError(f"recording {recording.key!r}: two recordings have this key")
        seen.add(recording.key)


def _splits(recordings: list[Recording]) -> dict[str, str]:
    """The split of every identity."""
    result: dict[str, str] = {}
    for recording in recordings:
        if recording.split not in SPLITS:
            raise ValueError(f"recording {recording.key!r}: split {recording.split!r}, expected one of {list(SPLITS)}")
        if result.setdefault(recording.identity, recording.split) != recording.split:
            raise ValueError(f"identity {recording.identity!r} is in two splits")
    return result


def _make_folder(out: Path) -> None:
    if (out / MANIFEST).exists():
        raise ValueError(f"{out} holds shards already: give another folder, or delete it")
    out.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        for path in (*out.glob(f"{split}-[0-9]*.tar"), *out.glob(f"{split}-[0-9]*.tar.part")):
            path.unlink()


Job = tuple[Recording, str, ClipSettings]


def _run(job: Job) -> PreparedClip | Failure:
    """One recording, in whatever process; any exception of its own becomes a failure."""
    recording, split, settings = job
    try:
        return prepare_clip(recording, split, settings)
    except PrepareError as error:
        return Failure(recording.key, error.step, error.reason)
    except (ImportError, FileNotFoundError, MemoryError) as error:
        return Failure(recording.key, "error", _one_line(error))
    except Exception as error:
        return Failure(recording.key, "error", f"{type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _results(jobs: list[Job], workers: int) -> Iterator[PreparedClip | Failure]:
    """The results in the order of the jobs."""
    if workers <= 1:
        yield from map(_run, jobs)
        return
    begin = 0
    while begin < len(jobs):
        for result in _pooled(jobs[begin:], workers):
            begin += 1
            yield result
        if begin < len(jobs):
            # The pool broke somewhere among the jobs in flight: this one is tried alone, so that only a
            # recording that itself kills its process is blamed for it.
            yield _alone(jobs[begin])
            begin += 1


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: forked children of a process that runs threads (torch, mediapipe) may hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)


def _pooled(jobs: list[Job], workers: int) -> Iterator[PreparedClip | Failure]:
    """Results in order until all are done or a worker dies; no more than 2 a worker wait in memory."""
    waiting: deque[Future[PreparedClip | Failure]] = deque()
    upcoming = iter(jobs)
    with _pool(workers) as pool:
        try:
            for job in upcoming:
                waiting.append(pool.submit(_run, job))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            return
        finally:
            for future in waiting:
                future.cancel()


def _alone(job: Job) -> PreparedClip | Failure:
    with _pool(1) as pool:
        try:
            return pool.submit(_run, job).result()
        except BrokenProcessPool:
            return Failure(job[0].key, "crash", "the process that prepared it was killed or crashed")


def _write_failures(path: Path, failures: list[Failure]) -> None:
    aside = path.with_name(path.name + ".part")
    with open(aside, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "step", "reason"])
        writer.writerows((failure.clip, failure.step, failure.reason) for failure in failures)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def _manifest(summary: PrepareSummary, settings: ClipSettings) -> dict[str, Any]:
    result = summary.to_json()
    del result["failures"]
    return {
        **result,
        "crop_rule": settings.rule.to_json(),
        "faces": asdict(settings.faces),
        "audio": AUDIO_SETTINGS,
        "settings": {
            "min_seconds": settings.min_seconds,
            "max_seconds": settings.max_seconds,
            "min_face_px": settings.min_face_px,
            "jpeg_quality": settings.jpeg_quality,
        },
    }
