"""Batches from shards: resumed to the bit, each clip once over all ranks, and what is broken is counted or ends it."""

import io
import itertools
import json
import logging
import shutil
import tarfile

import cv2
import numpy as np
import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.frame_pairs import FramePairData
from datamodules.lip_sync import LipSyncData
from datamodules.motion_sequences import MotionSequenceData
from datamodules.shards.errors import ShardError
from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest, read_split
from datamodules.speech_portrait import SpeechPortraitData
from datamodules.streaming.evaluation_stream import EvaluationStream
from datamodules.streaming.train_stream import TrainLoader, TrainStream


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", people=12, seconds=1.2)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "others", people=6, seconds=1.2, seed=5)


def loader(data, start=0, workers=0, rank=0, world=1, max_broken=0):
    sets = [source.split("train") for source in data.sources]
    weights = [source.source.weight for source in data.sources]
    stream = TrainStream(sets, weights, data.sampler(), "0", rank, world, data.batch_size, data.buffer, max_broken)
    return TrainLoader(stream, lambda: start, num_workers=workers)


def frame_pairs(shards, **options):
    return FramePairData(
        shards if isinstance(shards, list) else str(shards),
        batch_size=3,
        num_workers=0,
        input_size=32,
        output_size=32,
        **{"buffer": 10, "pairs_per_clip": 2, **options},
    )


def take(loader, count):
    return list(itertools.islice(loader, count))


def equal(first, second):
    assert first.keys() == second.keys()
    return all(
        torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
        for name, value in first.items()
    )


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("world", [1, 2])
def test_a_stream_resumed_at_batch_k_goes_on_to_the_bit(shards, others, workers, world):
    data = frame_pairs([ShardSource(str(shards), weight=2), ShardSource(str(others))])
    for rank in range(world):
        whole = take(loader(data, 0, workers, rank, world), 16)
        for start in (1, 5, 12):
            resumed = take(loader(data, start, workers, rank, world), 16 - start)
            assert all(equal(one, other) for one, other in zip(whole[start:], resumed, strict=True)), start


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SpeechPortraitData, {"seconds": 0.8, "size": 32}),
        (MotionSequenceData, {"frames": 20, "windows_per_clip": 3}),
        (LipSyncData, {"size": 32, "windows": 3}),
    ],
)
def test_the_other_kinds_of_batch_resume_too(shards, kind, options):
    data = kind(str(shards), batch_size=2, num_workers=0, buffer=5, **options)
    whole, resumed = take(loader(data), 9), take(loader(data, 4), 5)
    assert all(equal(one, other) for one, other in zip(whole[4:], resumed, strict=True))


def test_zero_workers_and_one_give_the_same_and_ranks_differ(shards):
    data = frame_pairs(shards)
    none, one = take(loader(data, workers=0), 6), take(loader(data, workers=1), 6)
    assert all(equal(first, second) for first, second in zip(none, one, strict=True))
    ranks = [take(loader(data, rank=rank, world=2), 6) for rank in range(2)]
    assert not any(equal(first, second) for first, second in zip(*ranks, strict=True))


def test_an_epoch_of_a_stream_reads_each_clip_once(shards):
    data = frame_pairs(shards, pairs_per_clip=1, buffer=4)
    clips = len(list(read_split(shards, "train")))
    # A whole number of blocks, 16 clips at least, and of epochs.
    rows = [key for batch in take(loader(data), 6 * clips) for key in batch["key"]][: 16 * clips]
    assert clips >= 4
    assert [rows.count(key) for key in set(rows)] == [16] * clips


def test_a_mixture_draws_from_each_data_set_by_its_weight(shards, others):
    first = {sample.key for sample in read_split(shards, "train")}
    second = {sample.key for sample in read_split(others, "train")}
    data = frame_pairs([ShardSource(str(shards), weight=3), ShardSource(str(others), weight=1)], buffer=8)
    rows = [key for batch in take(loader(data), 60) for key in batch["key"]]
    share = sum(key in first for key in rows) / len(rows)
    assert set(rows) == first | second
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / len(rows)) ** 0.5
    assert data.val_dataloader().dataset.examples == sum(len(list(read_split(f, "val"))) for f in (shards, others))


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_gives_every_example_once_over_all_ranks(shards, others, world, workers):
    data = frame_pairs([ShardSource(str(shards)), ShardSource(str(others))])
    sets = [source.split("val") for source in data.sources]
    once = [key for batch in EvaluationStream(sets, data.sampler(), 0, per_clip=2) for key in batch["key"]]
    given = [[] for _ in range(world)]
    for rank in range(world):
        stream = EvaluationStream(sets, data.sampler(), 0, 2, rank, world, batch_size=2)
        batches = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=workers)
        given[rank] = [key for batch in batches for key in batch["key"]]
        assert len(given[rank]) == stream.examples
        assert len(list(batches)) == len(batches)
    dealt = itertools.chain.from_iterable(itertools.zip_longest(*given))
    assert [key for key in dealt if key is not None] == once


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_reads_only_the_batches_that_are_wanted(shards, others, workers, monkeypatch):
    data = frame_pairs([ShardSource(str(shards)), ShardSource(str(others))])
    data.batch_size, data.num_workers = 1, workers
    every = [batch["key"] for batch in data.once("val")]
    wanted = [1, 2, len(every) - 1]
    assert len(data.once("val", wanted)) == len(set(wanted)) == 3
    assert [batch["key"] for batch in data.once("val", wanted)] == [every[number] for number in wanted]
    monkeypatch.setattr("datamodules.streaming.evaluation_stream.EvaluationStream._fill", None)
    assert list(data.once("val", [])) == []


def test_more_workers_and_ranks_than_shards_do_not_hang(others):
    data = frame_pairs(others, buffer=4)
    shard_count = len(data.sources[0].split("train").urls)
    assert shard_count == 1
    for rank in range(3):
        assert len(take(loader(data, workers=2, rank=rank, world=3), 3)) == 3


def test_patterns_urls_and_pipes_give_what_the_folder_gives(shards):
    manifest = str(shards / "manifest.json")
    names = sorted(load_manifest(shards)["splits"]["train"]["shards"])
    braces = "{" + ",".join(name[:-4] for name in names) + "}.tar"
    forms = [
        ShardSource(f"{shards}/train-*.tar"),
        ShardSource(f"{shards}/{braces}"),
        ShardSource(f"file:{shards}/{braces}"),
        ShardSource(f"file:{shards}"),
        ShardSource(f"pipe:cat {shards}/{braces}", manifest=manifest),
    ]
    folder = take(loader(frame_pairs(shards)), 5)
    for form in forms:
        data = frame_pairs([form])
        assert all(equal(one, other) for one, other in zip(folder, take(loader(data), 5), strict=True)), form
        assert equal(take(loader(data, 3), 1)[0], folder[3])


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{folder}/none-*.tar", FileNotFoundError, "no file for the pattern"),
        ("{folder}/train-{{000000..000099}}.tar", FileNotFoundError, "are missing"),
        ("pipe:cat {folder}/train-000000.tar", ValueError, "needs `manifest`"),
        ("{folder}/nowhere", FileNotFoundError, "s2tf prepare"),
        ("file:{folder}/nowhere", ShardError, "no manifest"),
    ],
)
def test_shards_that_are_not_there_are_named_with_the_key(shards, text, error, says):
    with pytest.raises(error, match=r"data\.init_args\.shards") as caught:
        frame_pairs([ShardSource(text.format(folder=shards))]).setup("fit")
    assert says in str(caught.value)


def test_a_source_without_weight_or_without_training_clips_is_refused(shards, tmp_path):
    with pytest.raises(ValueError, match="weight 0"):
        frame_pairs([ShardSource(str(shards), weight=0)]).setup("fit")
    manifest = load_manifest(shards)
    manifest["splits"]["train"]["shards"] = {}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for path in shards.glob("val-*.tar"):
        shutil.copy(path, tmp_path)
    for path in shards.glob("test-*.tar"):
        shutil.copy(path, tmp_path)
    with pytest.raises(FileNotFoundError, match="no train"):
        frame_pairs([ShardSource(str(shards)), ShardSource(str(tmp_path))]).setup("fit")


def members_of(path):
    with tarfile.open(path) as tar:
        return [(info.name, tar.extractfile(info).read()) for info in tar]


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def bad_jpegs(data):
    return b"\xff" * len(data)


def huge_jpegs(data):
    """Every frame's header says 30,000 x 30,000."""
    sizes = np.array([30_000, 30_000], ">u2").tobytes()
    changed = bytearray(data)
    start = 0
    while (start := data.find(b"\xff\xc0", start)) >= 0:
        changed[start + 5 : start + 9] = sizes
        start += 9
    return bytes(changed)


FAULTS = {
    "missing member": lambda name, data: None if name.endswith("landmarks.npy") else data,
    "JSON out of its schema": lambda name, data: data.replace(b'"fps": 25', b'"fps": -1') if "json" in name else data,
    "JPEG that does not decode": lambda name, data: bad_jpegs(data) if "mjpeg" in name else data,
    "picture of 30,000 px": lambda name, data: huge_jpegs(data) if "mjpeg" in name else data,
    "pickled array": lambda name, data: pickled() if name.endswith("landmarks.npy") else data,
}


def pickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def break_first_clip(folder, fault):
    path = sorted(folder.glob("train-*.tar"))[0]
    members = members_of(path)
    first = members[0][0].partition(".")[0]
    changed = [(name, fault(name, data) if name.startswith(first + ".") else data) for name, data in members]
    write_tar(path, [(name, data) for name, data in changed if data is not None])
    return path, first


def truncate(folder):
    path = sorted(folder.glob("train-*.tar"))[0]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    return path, None


def escape(folder):
    path = sorted(folder.glob("train-*.tar"))[0]
    write_tar(path, [("../escape.json", b"{}"), *members_of(path)])
    return path, None


BREAKS = {
    **{name: lambda folder, fault=fault: break_first_clip(folder, fault) for name, fault in FAULTS.items()},
    "truncated tar": truncate,
    "../ member": escape,
    "shard deleted after the start": lambda folder: (sorted(folder.glob("train-*.tar"))[0], None),
}


@pytest.mark.parametrize("form", ["folder", "stream"])
@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_ends_in_an_error_or_is_counted_and_replaced(shards, tmp_path, caplog, name, form):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    path, clip = BREAKS[name](folder)
    data = frame_pairs(folder if form == "folder" else [ShardSource(f"file:{folder}")], buffer=8)
    strict, patient, resumed = loader(data), loader(data, max_broken=50), loader(data, 5, max_broken=50)
    if name.startswith("shard deleted"):
        path.unlink()
    with pytest.raises(ShardError, match=path.name) as caught:
        take(strict, 8)
    assert "max_broken" in str(caught.value)
    with caplog.at_level(logging.WARNING, logger="datamodules.streaming.sampling"):
        batches = take(patient, 8)
    assert all(len(batch["key"]) == 3 for batch in batches)
    assert clip not in {key for batch in batches for key in batch["key"]}
    assert f"{path.name}" in caplog.text
    assert "broken sample 1 of at most 50" in caplog.text
    assert all(equal(one, other) for one, other in zip(batches[5:], take(resumed, 3), strict=True))


def test_sound_that_does_not_decode_is_broken_where_sound_is_needed(shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    break_first_clip(folder, lambda name, data: b"no sound" if name.endswith(".wav") else data)
    data = SpeechPortraitData(str(folder), batch_size=2, num_workers=0, size=32, seconds=0.8, buffer=4)
    with pytest.raises(ShardError, match="not a WAV"):
        take(loader(data), 8)
    assert len(take(loader(frame_pairs(folder)), 8)) == 8


def test_only_broken_clips_are_an_error_however_many_may_be_passed_over(shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    for path in folder.glob("train-*.tar"):
        write_tar(path, [(name, bad_jpegs(data) if "mjpeg" in name else data) for name, data in members_of(path)])
    with pytest.raises(ShardError, match="broken"):
        take(loader(frame_pairs(folder), max_broken=10**6), 1)


def test_a_jpeg_of_another_size_than_its_record_is_not_decoded(shards):
    sample = next(read_split(shards, "train"))
    _, wrong = cv2.imencode(".jpg", np.zeros((8, 16, 3), np.uint8))
    with pytest.raises(ShardError, match="16x8"):
        type(sample)(sample.key, sample.record, {**sample.members, "frames.mjpeg": wrong.tobytes()}).frame(0)


def test_a_clip_that_stays_broken_counts_once_however_often_it_comes(shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    break_first_clip(folder, FAULTS["JPEG that does not decode"])
    assert len(take(loader(frame_pairs(folder), max_broken=1), 60)) == 60


def test_a_pattern_over_two_folders_is_refused(shards, others):
    pattern = f"{shards.parent}/{{{shards.name},{others.name}}}/train-000000.tar"
    shutil.copytree(others, shards.parent / others.name, dirs_exist_ok=True)
    with pytest.raises(ValueError, match="twice"):
        frame_pairs([ShardSource(pattern)]).setup("fit")


def test_a_pipe_that_is_not_read_to_its_end_reports_nothing(shards):
    manifest = str(shards / "manifest.json")
    source = ShardSource(f"pipe:cat {shards}/val-000000.tar", manifest=manifest)
    sets = [source.split("val") for source in frame_pairs([source]).sources]
    stream = iter(EvaluationStream(sets, frame_pairs(shards).sampler(), 0))
    assert next(stream)["key"]
    stream.close()


def test_more_ranks_than_examples_to_validate_on_are_refused(shards, monkeypatch):
    data = frame_pairs(shards)
    monkeypatch.setattr(data, "_rank", lambda: (0, 64))
    with pytest.raises(ValueError, match="64 ranks"):
        data.val_dataloader()
