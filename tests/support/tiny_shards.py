"""Shards of a few synthetic speakers, as small as they can be trained on."""

from pathlib import Path

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import prepare
from datamodules.prepare.synthetic.reader import SyntheticReader
from s2tf.faces.crop import CropRule


def tiny_shards(folder: Path, people: int = 6, seconds: float = 1.6, size: int = 64, seed: int = 3) -> Path:
    """A third each for training, validation and test."""
    reader = SyntheticReader(people, 1, seconds, size, seed, val=1 / 3, test=1 / 3)
    summary = prepare(reader, folder, ClipSettings(CropRule(size=size)), samples_per_shard=2)
    assert (summary.recordings, summary.written, summary.failed) == (people, people, 0)
    return folder
