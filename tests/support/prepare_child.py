"""`prepare` as a process that can be killed. Usage: prepare_child.py OUT PART PARTS WORKERS."""

import sys
from pathlib import Path

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import prepare
from datamodules.prepare.synthetic.reader import SyntheticReader
from s2tf.faces.crop import CropRule

PEOPLE = 24


def run(out, part=1, parts=1, workers=1):
    reader = SyntheticReader(PEOPLE, 1, 1.2, 64, seed=3, val=0.2, test=0.2)
    on_progress = lambda done, total, key: print(done, flush=True)  # noqa: E731
    return prepare(
        reader,
        Path(out),
        ClipSettings(CropRule(size=64)),
        samples_per_shard=2,
        part=(part, parts),
        workers=workers,
        on_progress=on_progress,
    )


if __name__ == "__main__":
    print("start", flush=True)
    run(sys.argv[1], *map(int, sys.argv[2:]))
