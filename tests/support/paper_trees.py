"""Miniature trees of the paper's data sets, of synthetic speakers, with the known defects of the real ones."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from small_networks import TINY_TRANSFORMER
from transformers import (
    HubertConfig,
    HubertModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    Wav2Vec2Config,
    Wav2Vec2Model,
)
from video_files import write_video

from datamodules.prepare.recording import LoadedClip
from datamodules.prepare.synthetic.reader import SyntheticReader

SIDE = 288
"""Side of the pictures, whose faces then have crops of about 280 px."""
SMALL = 160
"""Side of pictures whose faces are below the paper's 256 px."""
SECONDS = 1.4
PEOPLE = 8
"""Different speakers, who come back under other names."""
VOXCELEB_TABLE = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
LISTS = ("video_url", "annotion_time", "crop_wh", "resolution")


@dataclass(frozen=True)
class Trees:
    """The folder of each data set, and the list of wild clips."""

    avspeech: Path
    voxceleb: Path
    hdtf: Path
    vfhq: Path
    wild: Path

    def settings(self) -> list[str]:
        """`key=value` for a chain."""
        return [f"{name}={path}" for name, path in vars(self).items()]


def write_trees(folder: Path) -> Trees:
    """Write all data sets."""
    people = _people()
    trees = Trees(*(folder / name for name in ("avspeech", "voxceleb", "hdtf", "vfhq")), folder / "wild" / "list.txt")
    write_avspeech(trees.avspeech, people)
    write_voxceleb(trees.voxceleb, people)
    write_hdtf(trees.hdtf, people)
    write_vfhq(trees.vfhq, people)
    write_wild(trees.wild, people)
    return trees


def write_avspeech(folder: Path, people: Iterator[LoadedClip]) -> None:
    """Three videos for training and two for test; seven absent ones, a small face, and a file that was cut off."""
    rows = {"train": [], "test": []}
    for index, table in enumerate(["train", "train", "train", "test", "test"]):
        name = f"present{index:04d}"
        _video(folder / "videos" / f"{name}.mp4", next(people))
        rows[table].append(name)
    rows["train"] += [f"absent{index:05d}" for index in range(7)]
    rows["train"] += ["small000000", "broken00000"]
    _video(folder / "videos" / "small000000.mp4", next(people), SMALL)
    _break(_video(folder / "videos" / "broken00000.mp4", next(people)))
    for table, names in rows.items():
        lines = "".join(f"{name},0.0,{SECONDS},0.5,0.5\n" for name in names)
        (folder / f"avspeech_{table}.csv").write_text(lines)


def write_voxceleb(folder: Path, people: Iterator[LoadedClip]) -> None:
    """Eight people for training and two for test, half of them women, and a file that was cut off."""
    table = VOXCELEB_TABLE
    for index in range(10):
        name, test = f"id{10001 + index}", index >= 8
        table += f"{name}\tSomebody\t{'mf'[index % 2]}\tUSA\t{'test' if test else 'dev'}\n"
        place = folder / ("test" if test else "dev") / "mp4" / name / "vvvvvvvvvvv"
        _video(place / "00001.mp4", next(people))
    _break(_video(folder / "dev" / "mp4" / "id10001" / "vvvvvvvvvvv" / "00009.mp4", next(people)))
    (folder / "vox1_meta.csv").write_text(table)


def write_hdtf(folder: Path, people: Iterator[LoadedClip]) -> None:
    """Six videos, one of them without a crop box; an absent one, a small face, and a file that was cut off."""
    lists = dict.fromkeys(LISTS, "")
    names = [*(f"Speaker{letter}" for letter in "ABCDEF"), "Absent", "Small", "Broken"]
    for name in names:
        lists["video_url"] += f"{name} https://a.video/watch?v={name}\n"
        lists["annotion_time"] += f"{name}.mp4 00:00-00:{SECONDS}\n"
        # The boxes belong to a video of half the height.
        lists["resolution"] += f"{name}.mp4 {SIDE // 2}\n"
        if name != "SpeakerB":
            lists["crop_wh"] += f"{name}_0.mp4 0 {SIDE // 2} 0 {SIDE // 2}\n"
        if name != "Absent":
            path = _video(folder / "videos" / f"{name}.mp4", next(people), SMALL if name == "Small" else SIDE)
            if name == "Broken":
                _break(path)
    (folder / "HDTF_dataset").mkdir()
    for subset in ("RD", "WDA", "WRA"):
        for kind, text in lists.items():
            (folder / "HDTF_dataset" / f"{subset}_{kind}.txt").write_text(text if subset == "WDA" else "")


def write_vfhq(folder: Path, people: Iterator[LoadedClip]) -> None:
    """Four clips as pictures; another one without its table."""
    for index in range(5):
        name = f"Clip+video{index:06d}+P0+C0+F1-30"
        (folder / name).mkdir(parents=True)
        for number, frame in enumerate(next(people).frames[:30]):
            Image.fromarray(frame).save(folder / name / f"{number:08d}.png", compress_level=1)
        if index < 4:
            (folder / "meta_info").mkdir(exist_ok=True)
            (folder / "meta_info" / f"{name}.txt").write_text("FPS 25\n")


def write_wild(path: Path, people: Iterator[LoadedClip]) -> None:
    """Two clips, and a file that was cut off."""
    for name in ("one", "two", "broken"):
        _video(path.parent / f"{name}.mp4", next(people))
    _break(path.parent / "broken.mp4")
    path.write_text("# clips\none.mp4\ntwo.mp4\nbroken.mp4\n")


def write_networks(folder: Path) -> list[str]:
    """Write the networks that a chain reads from folders, with random weights; returns `key=value` for it."""
    HubertModel(HubertConfig(**TINY_TRANSFORMER)).save_pretrained(folder / "hubert")
    Wav2Vec2Model(Wav2Vec2Config(**TINY_TRANSFORMER)).save_pretrained(folder / "wav2vec")
    width = TINY_TRANSFORMER["hidden_size"]
    speech = [f"hubert={folder / 'hubert'}", f"wav2vec={folder / 'wav2vec'}"]
    return [*speech, f"feature_dim={width}", f"wav2vec_dim={width}", f"attributes={_classifiers(folder)}"]


def _classifiers(folder: Path) -> str:
    """Write image classifiers of gender and age; returns the value of `--attributes`."""
    for name, labels in (("gender", ["female", "male"]), ("age", ["20-29", "30-39", "40-49"])):
        config = ViTConfig(
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
            image_size=32,
            patch_size=16,
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
        )
        ViTForImageClassification(config).save_pretrained(folder / name)
        ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / name)
    return f"classifier={folder / 'gender'},{folder / 'age'}"


def _people() -> Iterator[LoadedClip]:
    people = SyntheticReader(PEOPLE, 1, SECONDS, SIDE, seed=5, val=0.0, test=0.0)
    yield from itertools.cycle([recording.load() for recording in people])


def _video(path: Path, person: LoadedClip, side: int = SIDE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [frame if side == SIDE else cv2.resize(frame, (side, side)) for frame in person.frames]
    times = [Fraction(index, 25) for index in range(len(frames))]
    assert person.waveform is not None
    return write_video(path, frames, times=times, waveform=np.ascontiguousarray(person.waveform))


def _break(path: Path) -> None:
    """Cut a file off in the middle, as a download that ended early."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
