"""Copies shard folders to a node's own disk, so that trainings do not read them over the network in every epoch.

Run `S2TF_SCRATCH=/scratch python -m datamodules.shards.staging FOLDER...` on each node. Trainings with the same
`S2TF_SCRATCH` then read the copies under the old name, so that the place of the data does not change a run.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path

from datamodules.shards.sources import MANIFEST, SCRATCH, is_whole, staged


def stage(folder: Path, scratch: Path) -> Path:
    """Copy the shards of a folder that its copy lacks.

    The manifest is copied last and marks the copy as complete. When several jobs of a node call this, one copies and
    the others wait.
    """
    copy = staged(str(folder), str(scratch))
    copy.mkdir(parents=True, exist_ok=True)
    with open(copy.with_name(f"{copy.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_whole(folder, copy):
            return copy
        (copy / MANIFEST).unlink(missing_ok=True)
        for path in sorted(folder.glob("*.tar")):
            if not _is_copy(path, copy / path.name):
                part = copy / f"{path.name}.part"
                shutil.copy2(path, part)
                part.replace(copy / path.name)
        shutil.copy2(folder / MANIFEST, copy / MANIFEST)
    return copy


def _is_copy(path: Path, copy: Path) -> bool:
    """True for equal size and time, which `copy2` keeps: comparing the bytes takes as long as copying them."""
    if not copy.is_file():
        return False
    one, other = path.stat(), copy.stat()
    return (one.st_size, int(one.st_mtime)) == (other.st_size, int(other.st_mtime))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: staged at {stage(Path(name), Path(os.environ[SCRATCH]))}", flush=True)
