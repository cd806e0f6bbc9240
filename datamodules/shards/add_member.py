"""One member more in every sample: a folder's shards written again with what a network computed of each clip."""

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
from datamodules.shards.parts import part_of
from datamodules.shards.samples import ARRAYS, JSON, Sample
from datamodules.shards.sources import MANIFEST
from datamodules.shards.writing import load_manifest, new_shard, read_shard, write_manifest
from s2tf.fault_tolerance.atomic_files import PART

PLAN = "addition.json"
"""Says what a folder is to become, while it is not complete."""


OnClip = Callable[[int, int], None]
"""Called with the clips done and the clips in all of this part."""


@dataclass(frozen=True)
class NewMember:
    """What is added."""

    member: str
    """`motion.npy` or `features.npy`."""
    about: dict[str, Any]
    """What the manifest says of it, under the member's name: `dim`, the row's length, and which network made it."""
    compute: Callable[[Sample], np.ndarray | None]
    """The clip's array; None: it has none, and is counted."""


@dataclass
class CopyReport:
    """What was done."""

    clips: int = 0
    """Of this part, whoever wrote them."""
    written: int = 0
    """Of these: by this call."""
    without: int = 0
    """Of those written: clips that have no such member."""
    complete: bool = False
    """Every shard is there, and the manifest."""


def add_member(
    source: str | Path,
    out: str | Path,
    new: NewMember,
    part: tuple[int, int] = (1, 1),
    on_clip: OnClip | None = None,
) -> CopyReport:
    """Copy a shard folder, with one member added to every sample, and its checksum to the record.

    Each shard is an atomic write: a call that was killed, made again, goes on with the shards that are
    missing. The manifest comes last.

    Args:
        source: A complete shard folder.
        out: The new folder; made when missing.
        new: The member to add.
        part: (i, n): do the i-th of n parts of the shards; the part that ends last writes the manifest.
        on_clip: Called with clips done and clips in all of this part.

    Raises:
        FileNotFoundError, ShardError: As `open_source`, or a sample of the source is broken; names it.
        ValueError: A bad `part`, `out` holds other shards, or an array does not belong to its clip.
    """
    manifest, out, done = load_manifest(source), Path(out), CopyReport()
    name = new.member.partition(".")[0]
    wanted = {**manifest, name: new.about}
    counts = {shard: count for split in manifest["splits"].values() for shard, count in split["shards"].items()}
    own = part_of(sorted(counts), part)
    if _begin(out, wanted):
        return CopyReport(sum(counts.values()), complete=True)
    total = sum(counts[shard] for shard in own)
    for shard in own:
        if (out / shard).is_file():
            done.clips += counts[shard]
            continue
        with new_shard(out / shard) as writer:
            for sample in read_shard(Path(source) / shard, counts[shard]):
                members = _with_member(sample, new)
                done.without += new.member not in members
                writer.write(sample.key, members)
                done.clips, done.written = done.clips + 1, done.written + 1
                if on_clip is not None:
                    on_clip(done.clips, total)
    if all((out / shard).is_file() for shard in counts):
        write_manifest(out, wanted)
        _clean(out)
        done.complete = True
    return done


def _begin(out: Path, wanted: dict[str, Any]) -> bool:
    """Write down what the folder is to become, which other parts may do at the same time; whether it is that already.

    Raises:
        ValueError: It is something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    # Another part may begin or complete the folder between two looks: then the next look sees it.
    for _ in range(3):
        for name in (MANIFEST, PLAN):
            there = _read(out / name)
            if there is not None and there != wanted:
                raise ValueError(f"{out} holds shards of other clips or of another network already: give an empty one")
            if there is not None and name == MANIFEST:
                _clean(out)
            if there is not None:
                return name == MANIFEST
        if not any(out.glob("*.tar")):
            _claim(out / PLAN, wanted)
    raise ValueError(f"{out} holds shards already: give an empty folder")


def _claim(path: Path, wanted: dict[str, Any]) -> None:
    """Write a file that is either whole or not there, unless another process has."""
    aside = path.with_name(f"{path.name}-{socket.gethostname()}-{os.getpid()}")
    aside.write_text(json.dumps(wanted))
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _clean(out: Path) -> None:
    """Remove the plan, and the shards that killed processes left half written."""
    for path in [out / PLAN, *out.glob(f"*.tar.*{PART}")]:
        path.unlink(missing_ok=True)


def _with_member(sample: Sample, new: NewMember) -> dict[str, bytes]:
    members = {name: member[:] for name, member in sample.members.items() if name != new.member}
    array = new.compute(sample)
    others = {name: checksum for name, checksum in sample.record.crc32.items() if name != new.member}
    if array is None:
        return {**members, JSON: replace(sample.record, crc32=others).to_json()}
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
    return {**members, JSON: record.to_json(), new.member: data}
