"""One member more in every sample: a folder's shards written again with what a network computed of each clip."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.aside import written_aside
from datamodules.encoding import encode_array
from datamodules.samples import ARRAYS, JSON, Sample
from datamodules.shards import load_manifest, new_shard, read_shard, write_manifest
from datamodules.sources import MANIFEST

PLAN = "addition.json"
"""Says what a folder is to become, while it is not complete."""


@dataclass(frozen=True)
class Addition:
    """What is added."""

    member: str
    """`motion.npy` or `features.npy`."""
    about: dict[str, Any]
    """What the manifest says of it, under the member's name: `dim`, the row's length, and which network made it."""
    compute: Callable[[Sample], np.ndarray | None]
    """The clip's array; None: it has none, and is counted."""


@dataclass
class Added:
    """What was done."""

    clips: int = 0
    """Written by this call, or found written by an earlier one."""
    without: int = 0
    """Of those that this call has written: clips that have no such member."""
    complete: bool = False
    """Every shard is there, and the manifest."""


def add_member(
    source: str | Path,
    out: str | Path,
    addition: Addition,
    part: tuple[int, int] = (1, 1),
    on_clip: Callable[[int, int], None] | None = None,
) -> Added:
    """Copy a shard folder, with one member added to every sample, and its checksum to the record.

    Each shard is written aside and renamed: what was killed and is called again goes on with the shards that are not
    there. The manifest comes last.

    Args:
        source: A complete shard folder.
        out: The new folder; made when missing.
        addition: What is added.
        part: (i, n): do the i-th of n parts of the shards; the part that ends last writes the manifest.
        on_clip: Called with clips done and clips in all of this part.

    Raises:
        FileNotFoundError, ShardError: As `open_source`, or a sample of the source is broken; names it.
        ValueError: A bad `part`, `out` holds other shards, or an array does not belong to its clip.
    """
    if not 1 <= part[0] <= part[1]:
        raise ValueError(f"part {part[0]} of {part[1]}: expected 1 to {part[1]}")
    manifest, out = load_manifest(source), Path(out)
    name = addition.member.partition(".")[0]
    wanted = {**manifest, name: addition.about}
    counts = {shard: count for split in manifest["splits"].values() for shard, count in split["shards"].items()}
    done = Added()
    if _begin(out, wanted):
        return Added(sum(counts.values()), complete=True)
    own = sorted(counts)[part[0] - 1 :: part[1]]
    total = sum(counts[shard] for shard in own)
    for shard in own:
        if (out / shard).is_file():
            done.clips += counts[shard]
            continue
        with new_shard(out / shard) as writer:
            for sample in read_shard(Path(source) / shard, counts[shard]):
                members = _with_member(sample, addition)
                done.without += addition.member not in members
                writer.write(sample.key, members)
                done.clips += 1
                if on_clip is not None:
                    on_clip(done.clips, total)
    if all((out / shard).is_file() for shard in counts):
        write_manifest(out, wanted)
        (out / PLAN).unlink(missing_ok=True)
        done.complete = True
    return done


def _begin(out: Path, wanted: dict[str, Any]) -> bool:
    """Write down what the folder is to become; whether it is that already.

    Raises:
        ValueError: It is something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, PLAN):
        if (out / name).is_file():
            if json.loads((out / name).read_text()) != wanted:
                raise ValueError(f"{out} holds shards of other clips or of another network already: give an empty one")
            return name == MANIFEST
    if any(out.glob("*.tar")):
        raise ValueError(f"{out} holds shards already: give an empty folder")
    with written_aside(out / PLAN, "w") as file:
        json.dump(wanted, file)
    return False


def _with_member(sample: Sample, addition: Addition) -> dict[str, bytes]:
    members = {name: member[:] for name, member in sample.members.items() if name != addition.member}
    array = addition.compute(sample)
    if array is None:
        return members
    form = ARRAYS[addition.member]
    with np.errstate(over="ignore"):
        array = np.asarray(array, form.dtype)
    problem = form.problem(array, sample.record.frames)
    if not problem and array.shape[1] != addition.about["dim"]:
        problem = f"has rows of {array.shape[1]}, expected {addition.about['dim']}"
    if problem:
        raise ValueError(f"sample {sample.key!r}: the array for {addition.member} {problem}")
    data = encode_array(array)
    record = replace(sample.record, crc32={**sample.record.crc32, addition.member: zlib.crc32(data)})
    return {**members, JSON: record.to_json(), addition.member: data}
