"""Copies of a folder's shards in which every sample is changed, such as by a network's output as a new member."""

import json
import os
import socket
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.shards.codecs import encode_array
from datamodules.shards.differences import first_difference
from datamodules.shards.parts import part_of
from datamodules.shards.samples import ARRAYS, JSON, Sample
from datamodules.shards.sources import MANIFEST
from datamodules.shards.writing import load_manifest, new_shard, read_shard, write_manifest
from s2tf.fault_tolerance.atomic_files import PART

PLAN = "addition.json"
"""The planned manifest of a folder that is not complete yet."""


OnClip = Callable[[int, int], None]
"""Function that is called with the finished clips and all clips of this part."""


@dataclass(frozen=True)
class NewMember:
    """The member that is added to every sample."""

    member: str
    """`motion.npy` or `features.npy`."""
    about: dict[str, Any]
    """The manifest's entry under the member's name: `dim`, the length of a row, and the network that computed it."""
    compute: Callable[[Sample], np.ndarray | None]
    """Function from a clip to its array, or to None for a clip without the member, which is counted."""


@dataclass(frozen=True)
class ShardChange:
    """A change of every sample."""

    name: str
    """The manifest's entry that describes the change."""
    about: Any
    """The content of that entry; one folder holds shards of one change only."""
    apply: Callable[[Sample], tuple[dict[str, bytes], bool]]
    """Function from a sample to its new members, and to False for a clip that lacks what was to be added."""
    complete: Callable[[Path, dict[str, Any]], dict[str, Any]] = lambda _, planned: planned
    """Function from the folder with all shards and the planned manifest to the manifest, with counts of the content."""


@dataclass
class CopyReport:
    """The outcome of a copy."""

    clips: int = 0
    """Clips of this part, including those that earlier calls wrote."""
    written: int = 0
    """Clips that this call wrote."""
    without: int = 0
    """Clips that this call wrote, and that lack what was to be added."""
    complete: bool = False
    """True if every shard and the manifest exist."""


def add_member(
    source: str | Path,
    out: str | Path,
    new: NewMember,
    part: tuple[int, int] = (1, 1),
    on_clip: OnClip | None = None,
) -> CopyReport:
    """Copy a shard folder, with one member added to every sample, and its checksum to the record.

    Args:
        source: A complete shard folder.
        out: The new folder; created if it does not exist.
        new: The member, and the function that computes it.
        part: (i, n): do the i-th of n parts of the shards; the part that ends last writes the manifest.
        on_clip: Function that is called with the finished clips and all clips of this part.

    Raises:
        FileNotFoundError, ShardError, ValueError: Raised as by `change_samples`, or an array does not fit its clip.
    """
    change = ShardChange(new.member.partition(".")[0], new.about, lambda sample: _with_member(sample, new))
    return change_samples(source, out, change, part, on_clip)


def change_samples(
    source: str | Path,
    out: str | Path,
    change: ShardChange,
    part: tuple[int, int] = (1, 1),
    on_clip: OnClip | None = None,
) -> CopyReport:
    """Copy a shard folder, with every sample changed.

    Each shard is an atomic write: a copy that was killed continues with the missing shards when it is called again. The
    manifest is written last.

    Args:
        source: A complete shard folder.
        out: The new folder; created if it does not exist.
        change: The change of each sample, and the manifest's entry about it.
        part: (i, n): do the i-th of n parts of the shards; the part that ends last writes the manifest.
        on_clip: Function that is called with the finished clips and all clips of this part.

    Raises:
        FileNotFoundError, ShardError: Raised as by `open_source`, or a sample of the source is broken; names it.
        ValueError: `part` does not exist, or `out` holds other shards.
    """
    # The plan: the new manifest, and this part's shards.
    manifest, out, done = load_manifest(source), Path(out), CopyReport()
    wanted = {**manifest, change.name: change.about}
    counts = {shard: count for split in manifest["splits"].values() for shard, count in split["shards"].items()}
    own = part_of(sorted(counts), part)
    if _begin(out, wanted, change.name):
        return CopyReport(sum(counts.values()), complete=True)
    # Copy the shards that are missing.
    total = sum(counts[shard] for shard in own)
    for shard in own:
        if (out / shard).is_file():
            done.clips += counts[shard]
            continue
        with new_shard(out / shard) as writer:
            for sample in read_shard(Path(source) / shard, counts[shard]):
                members, has_it = change.apply(sample)
                done.without += not has_it
                writer.write(sample.key, members)
                done.clips, done.written = done.clips + 1, done.written + 1
                if on_clip is not None:
                    on_clip(done.clips, total)
    # The part that ends last completes the folder.
    if all((out / shard).is_file() for shard in counts):
        write_manifest(out, change.complete(out, wanted))
        _clean(out)
        done.complete = True
    return done


def _begin(out: Path, wanted: dict[str, Any], name: str) -> bool:
    """Write the plan of the folder, as other parts may do at the same time; returns True for a complete folder.

    Raises:
        ValueError: The folder holds other shards.
    """
    out.mkdir(parents=True, exist_ok=True)
    # Another part may begin or complete the folder between two checks: then the next check sees it.
    for _ in range(3):
        for file in (MANIFEST, PLAN):
            there = _read(out / file)
            if there is None:
                continue
            _check_same(out, there, wanted, name)
            if file == MANIFEST:
                _clean(out)
            return file == MANIFEST
        if not any(out.glob("*.tar")):
            _claim(out / PLAN, wanted)
    raise ValueError(f"{out} holds shards already: expected an empty folder")


def _check_same(out: Path, there: dict[str, Any], wanted: dict[str, Any], name: str) -> None:
    """Check that a folder's plan is the wanted one; a difference in the change itself is named."""
    if found := first_difference(there.get(name), wanted[name], name):
        raise ValueError(
            "{} holds shards with {} {}, not {}: expected the same, or an empty folder".format(out, *found)
        )
    if _plan(there) != _plan(wanted):
        raise ValueError(f"{out} holds shards of other clips: expected an empty folder")


def _plan(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without the counts that are known only when all shards are written."""
    splits = {name: {**split, "genders": None} for name, split in manifest["splits"].items()}
    return {**manifest, "splits": splits}


def _claim(path: Path, wanted: dict[str, Any]) -> None:
    """Write a file atomically, unless another process has written it."""
    part = path.with_name(f"{path.name}-{socket.gethostname()}-{os.getpid()}")
    part.write_text(json.dumps(wanted))
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _clean(out: Path) -> None:
    """Remove the plan, and shards that killed processes left half written."""
    for path in [out / PLAN, *out.glob(f"*.tar.*{PART}")]:
        path.unlink(missing_ok=True)


def _with_member(sample: Sample, new: NewMember) -> tuple[dict[str, bytes], bool]:
    members = {name: member[:] for name, member in sample.members.items() if name != new.member}
    array = new.compute(sample)
    others = {name: checksum for name, checksum in sample.record.crc32.items() if name != new.member}
    if array is None:
        return {**members, JSON: replace(sample.record, crc32=others).to_json()}, False
    form = ARRAYS[new.member]
    with np.errstate(over="ignore"):
        array = np.asarray(array, form.dtype)
    problem = form.problem(array, sample.record.frames)
    if not problem and array.shape[1] != new.about["dim"]:
        problem = f"has rows of {array.shape[1]}, expected {new.about['dim']}"
    if problem:
        raise ValueError(f"sample {sample.key!r}: the array for {new.member} {problem}")
    data = encode_array(array)
    record = replace(sample.record, crc32={**others, new.member: zlib.crc32(data)})
    return {**members, JSON: record.to_json(), new.member: data}, True
