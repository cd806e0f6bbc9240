"""Recordings → shards, ledgers of failed and of absent recordings, and a summary whose counts add up.

The recordings of each split are cut into groups. Each group becomes one shard, even if some of its recordings fail. Any
process can do any group, and its result does not depend on the others. During a preparation `groups/` holds one JSON
for each finished group; when all are finished, they are merged into `failures.csv`, `absent.csv` and `manifest.json`,
and the folder is deleted.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datamodules.prepare.clip import ClipSettings, PreparedClip
from datamodules.prepare.files import MAX_KEY
from datamodules.prepare.plan import Group, Plan, plan_of
from datamodules.prepare.recording import Recording
from datamodules.prepare.summary import Failure, PrepareSummary
from datamodules.prepare.workers import Job, results
from datamodules.shards.parts import part_of
from datamodules.shards.records import SPLITS
from datamodules.shards.samples import KEY
from datamodules.shards.sources import MANIFEST
from datamodules.shards.writing import new_shard, write_manifest
from s2tf.fault_tolerance.atomic_files import PART, atomic_open
from s2tf.tables.read_table import read_table
from s2tf.tables.write_table import write_table

FAILURES = "failures.csv"
ABSENCES = "absent.csv"
FAILURE_COLUMNS = ("clip", "step", "reason")
GROUPS = "groups"
PLAN = "plan.json"


def prepare(
    recordings: Iterable[Recording],
    out: Path,
    settings: ClipSettings,
    *,
    workers: int = 0,
    samples_per_shard: int = 64,
    part: tuple[int, int] = (1, 1),
    on_progress: Callable[[int, int, str], None] | None = None,
) -> PrepareSummary:
    """Prepare recordings into a folder of shards.

    The same recordings and settings give the same bytes for any number of workers and parts, and however often the
    preparation is killed: the next call continues with the unfinished groups. A recording that cannot be used is a row
    of `failures.csv` and never stops the others, even if it kills its worker; one that is not there is a row of
    `absent.csv`, which exists only if there are any.

    Args:
        recordings: The recordings of a reader; their keys must be unique.
        out: Folder for the shards, `failures.csv` and `manifest.json`, which is written last.
        settings: Treatment of every clip; stored in the manifest.
        workers: Number of processes, or 0 for this process, which a recording can then crash.
        samples_per_shard: Recordings that share a tar file.
        part: (i, n): do the i-th of n parts of the groups; the part that ends last writes the manifest.
        on_progress: Called after each recording with the number done, the number in total, and its key.

    Returns:
        The summary of this part's recordings, or of all recordings where this part completed the folder.

    Raises:
        ValueError: Keys are not unique, a speaker is in two splits, `part` does not exist, or `out` holds shards of
            other recordings or settings.
    """
    # The plan: groups of recordings, and this part's share of them.
    todo = list(recordings)
    _check_keys(todo)
    groups = list(_groups(todo, _splits(todo), samples_per_shard))
    own = part_of(groups, part)
    plan = plan_of(groups, settings)
    # A finished folder is left as it is.
    out.mkdir(parents=True, exist_ok=True)
    if (finished := _finished(out, plan)) is not None:
        return finished
    _prepare_groups(own, out, settings, workers, on_progress)
    if all(_ledger(out, group).is_file() for group in groups):
        return _complete(groups, out, plan, getattr(recordings, "split_rule", ""))
    return _merged(own, out, plan)


def _check_keys(recordings: list[Recording]) -> None:
    seen: set[str] = set()
    for recording in recordings:
        if not KEY.fullmatch(recording.key):
            raise ValueError(f"recording {recording.key!r}: a key has letters, digits, '_' and '-' only")
        if len(recording.key) > MAX_KEY:
            raise ValueError(f"recording {recording.key!r}: a key has at most {MAX_KEY} characters")
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


def _groups(recordings: list[Recording], splits: dict[str, str], size: int) -> Iterator[Group]:
    for split in SPLITS:
        members = [recording for recording in recordings if splits[recording.identity] == split]
        # Shuffled: in the order of the files, a shard would contain one speaker, and a batch only a few.
        members.sort(key=lambda recording: hashlib.blake2b(recording.key.encode()).digest())
        for number, start in enumerate(range(0, len(members), size)):
            yield Group(f"{split}-{number:06d}", split, members[start : start + size])


def _finished(out: Path, plan: Plan) -> PrepareSummary | None:
    """The summary of a complete folder; None, once it is certain that an incomplete one belongs to this plan."""
    manifest = out / MANIFEST
    plan_file = out / GROUPS / PLAN
    there = json.loads(manifest.read_text()) if manifest.is_file() else {}
    if not there.get("plan") and plan_file.is_file():
        there = json.loads(plan_file.read_text())
    if there.get("plan") not in (None, plan.fingerprint) or (manifest.is_file() and not there.get("plan")):
        raise ValueError(plan.refusal(out, there))
    # The summary is stored in the manifest and the ledger.
    if manifest.is_file():
        _clean(out)
        files = [path for path in (out / FAILURES, out / ABSENCES) if path.is_file()]
        failures = [dict(row.cells) for path in files for row in read_table(path, FAILURE_COLUMNS)]
        return PrepareSummary.from_json({**json.loads(manifest.read_text()), "failures": failures})
    if not plan_file.is_file():
        if any(out.glob("*.tar")):
            raise ValueError(f"{out} holds shards that no manifest names: expected another folder, or delete this one")
        plan_file.parent.mkdir(exist_ok=True)
        _write_json(plan_file, plan.to_json())
    return None


def _prepare_groups(
    groups: Sequence[Group],
    out: Path,
    settings: ClipSettings,
    workers: int,
    on_progress: Callable[[int, int, str], None] | None,
) -> None:
    """Do the unfinished groups."""
    total = sum(len(group.recordings) for group in groups)
    left = [group for group in groups if not _ledger(out, group).is_file()]
    done = total - sum(len(group.recordings) for group in left)
    jobs: list[Job] = [
        (replace(recording, max_seconds=settings.max_seconds or recording.max_seconds), group.split, settings)
        for group in left
        for recording in group.recordings
    ]
    stream = results(jobs, workers)
    for group in left:
        summary = PrepareSummary(recordings=len(group.recordings))
        for result in _write_group(group, out, stream, summary):
            done += 1
            if on_progress is not None:
                on_progress(done, total, result.clip if isinstance(result, Failure) else result.key)
        _write_json(_ledger(out, group), summary.to_json())


def _write_group(
    group: Group, out: Path, stream: Iterator[PreparedClip | Failure], summary: PrepareSummary
) -> Iterator[PreparedClip | Failure]:
    """Write a group's shard and give its results one by one; a group without a usable recording gets no shard."""
    name = f"{group.name}.tar"
    with new_shard(out / name) as shard:
        for _ in group.recordings:
            result = next(stream)
            if isinstance(result, Failure):
                summary.add_failure(result)
            else:
                shard.write(result.key, result.members)
                summary.add(result)
            yield result
    if shard.count:
        summary.splits[group.split].shards = {name: shard.count}
    else:
        (out / name).unlink()


def _complete(groups: list[Group], out: Path, plan: Plan, split_rule: str) -> PrepareSummary:
    """Write ledger and manifest; another part may do the same at the same time, with the same result."""
    summary = _merged(groups, out, plan)
    if (out / MANIFEST).is_file():
        return summary
    write_table([asdict(failure) for failure in summary.failures], out / FAILURES, FAILURE_COLUMNS)
    if summary.absences:
        write_table([asdict(absence) for absence in summary.absences], out / ABSENCES, FAILURE_COLUMNS)
    rule = {"split_rule": split_rule} if split_rule else {}
    write_manifest(out, _manifest(summary, plan) | rule)
    _clean(out)
    return summary


def _merged(groups: Sequence[Group], out: Path, plan: Plan) -> PrepareSummary:
    """The merged ledgers of groups; where another part has completed the folder, the summary of all groups."""
    summary = PrepareSummary()
    try:
        for group in groups:
            summary.merge(_read(_ledger(out, group)))
    except FileNotFoundError:
        finished = _finished(out, plan)
        if finished is None:
            raise
        return finished
    return summary


def _ledger(out: Path, group: Group) -> Path:
    return out / GROUPS / f"{group.name}.json"


def _read(path: Path) -> PrepareSummary:
    return PrepareSummary.from_json(json.loads(path.read_text()))


def _clean(out: Path) -> None:
    """Remove the groups' ledgers, and shards that killed processes left half written."""
    shutil.rmtree(out / GROUPS, ignore_errors=True)
    for path in out.glob(f"*.tar.*{PART}"):
        path.unlink(missing_ok=True)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    with atomic_open(path, "w") as file:
        json.dump(data, file, sort_keys=True)


def _manifest(summary: PrepareSummary, plan: Plan) -> dict[str, Any]:
    result = summary.to_json()
    del result["failures"], result["absences"]
    return {**result, **plan.to_json()}
