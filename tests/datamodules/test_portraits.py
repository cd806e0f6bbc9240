"""Shards of portraits, and the choice of the first or a random picture and speech."""

import json
import random
from dataclasses import asdict

import numpy as np
import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.frame_pairs import FramePairData
from datamodules.frames import FrameData
from datamodules.lip_sync import LipSyncData
from datamodules.motion_sequences import MotionSequenceData
from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import prepare
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.codecs import encode_array
from datamodules.shards.errors import ShardError
from datamodules.shards.records import ClipRecord
from datamodules.shards.samples import FRAMES, LANDMARKS, Sample
from datamodules.shards.verify import inspect, random_rows
from datamodules.shards.writing import read_split
from datamodules.speech_portrait import SpeechPortraitData, SpeechPortraitSampler
from datamodules.streaming.batching import Batcher
from s2tf.cli import main
from s2tf.evaluation.clips_of_run import clips_of_split
from s2tf.evaluation.videos.pipeline_clips import clips_with_sound
from s2tf.faces.alignment import align, most_frontal
from s2tf.faces.crop import CropRule
from s2tf.faces.lips import to_picture_units
from s2tf.media.audio import SAMPLE_RATE
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.precompute.copying import ShardCopy
from s2tf.precompute.speech_features import write_features

STORED = [0, 13, 26]


def prepared(folder, portraits):
    reader = SyntheticReader(6, 1, 1.6, 64, seed=3, val=1 / 3, test=1 / 3)
    prepare(reader, folder, ClipSettings(CropRule(size=64), portraits=portraits), samples_per_shard=2)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "whole")


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("data") / "portraits", 3)


def clips(folder, split="train"):
    return {sample.key: sample for sample in read_split(folder, split)}


def test_portraits_are_frames_of_the_whole_clip_with_all_of_its_sound(shards, portraits):
    whole, few = clips(shards), clips(portraits)
    assert whole.keys() == few.keys()
    for key, sample in few.items():
        assert (list(sample.record.pictures), sample.record.frames) == (STORED, whole[key].record.frames)
        assert sample.members["wav"][:] == whole[key].members["wav"][:]
        for frame in STORED:
            assert sample.jpeg(frame) == whole[key].jpeg(frame)
            points = (clip.landmarks(frame, frame + 1) for clip in (sample, whole[key]))
            np.testing.assert_array_equal(*points)
        assert len(sample.members[FRAMES]) < len(whole[key].members[FRAMES]) / 10
    report = inspect(portraits, verify=True)
    assert not report.broken
    assert (report.splits["train"].pictures, report.splits["train"].clips) == (6, 2)
    assert report.splits["train"].seconds == inspect(shards).splits["train"].seconds
    assert len(random_rows(portraits, 6)) == 6


def test_more_portraits_than_frames_are_the_whole_clip(shards, tmp_path):
    for path in sorted(prepared(tmp_path, 40).glob("*.tar")):
        assert path.read_bytes() == (shards / path.name).read_bytes()
    settings = json.loads((shards / "manifest.json").read_text())["settings"]
    assert "portraits" not in settings


@pytest.mark.parametrize(
    ("choice", "seen"), [("first", {0}), ("random", set(STORED))], ids=["first", "random of those stored"]
)
def test_the_choice_of_pictures(portraits, choice, seen):
    sampler, rng = SpeechPortraitSampler(32, 0.5, portrait=choice), random.Random(0)
    for sample in clips(portraits).values():
        pictures = [sampler.train(sample, rng)[0].jpeg for _ in range(30)]
        assert set(pictures) == {sample.jpeg(frame) for frame in seen}
        assert sampler.evaluate(sample, 0, rng).jpeg in pictures
    # A second example, with which evaluations compare the first, is another frame.
    if choice == "first":
        assert all(sampler.evaluate(sample, 1, rng).jpeg != sample.jpeg(0) for _ in range(20))


def test_aligned_pictures_are_the_most_frontal_ones_with_their_eyes_at_fixed_places(shards, portraits):
    sampler, rng = SpeechPortraitSampler(64, 0.5, portrait="aligned"), random.Random(0)
    for folder, stored, most in ((shards, range(40), 4), (portraits, STORED, 1)):
        for sample in clips(folder).values():
            points = to_picture_units(sample.picture_landmarks(), 64)
            best = [stored[index] for index in most_frontal(points)[:most]]
            chosen = {sampler.train(sample, rng)[0].jpeg for _ in range(60)}
            assert chosen == {sample.jpeg(frame) for frame in best}
            first, other = (sampler.evaluate(sample, number, rng) for number in (0, 1))
            assert first.jpeg == sample.jpeg(best[0])
            assert other.jpeg != first.jpeg
            order = [stored[index] for index in most_frontal(points)]
            assert other.jpeg in [sample.jpeg(frame) for frame in order[1 : max(2, most)]]
            # The batch holds the turned picture.
            batcher = Batcher(1)
            first.decode(batcher)
            batcher.next_row()
            (picture,) = batcher.batch()["portrait"].numpy()
            (there,) = sample.landmarks(best[0], best[0] + 1)
            assert np.array_equal(picture, align(sample.frame(best[0]), there, 64))


def test_a_clip_whose_eyes_coincide_is_named(shards):
    sample = next(iter(clips(shards).values()))
    flat = np.zeros((sample.record.frames, 68, 2), np.float32)
    broken = Sample(sample.key, sample.record, {**sample.members, LANDMARKS: encode_array(flat)})
    with pytest.raises(ShardError, match=rf"{sample.key}.*no picture has eyes at two places"):
        SpeechPortraitSampler(64, 0.5, portrait="aligned").train(broken, random.Random(0))


def test_the_choice_of_speech_and_what_runs_without_a_choice_were_trained_with(shards):
    sample = next(iter(clips(shards).values()))
    first, plain, rng = SpeechPortraitSampler(32, 0.5, speech="first"), SpeechPortraitSampler(32, 0.5), random.Random(0)
    beginning = sample.pcm(0, SAMPLE_RATE // 2)
    assert all(np.array_equal(first.train(sample, rng)[0].pcm, beginning) for _ in range(9))
    assert any(not np.array_equal(plain.train(sample, rng)[0].pcm, beginning) for _ in range(9))
    for seed in range(5):
        longer = sample.record.samples - SAMPLE_RATE // 2
        rng = random.Random(seed)
        start, frame = rng.randint(0, longer), rng.randrange(sample.record.frames)
        example = plain.train(sample, random.Random(seed))[0]
        assert example.jpeg == sample.jpeg(frame)
        assert np.array_equal(example.pcm, sample.pcm(start, SAMPLE_RATE // 2))
    with pytest.raises(ValueError, match=r"portrait 'last', speech 'random': expected first or random, or aligned"):
        SpeechPortraitData(str(shards), 2, 0, portrait="last")


def test_single_pictures_train_on_portraits(portraits):
    for data in (
        SpeechPortraitData(str(portraits), 2, 0, size=32, seconds=0.5, portrait="first", speech="first"),
        FrameData(str(portraits), 2, 0, size=32),
    ):
        data.setup("fit")
        assert len(next(iter(data.train_dataloader()))["key"]) == 2
        # A preview shows the first picture.
        assert [len(clip["frames"]) for clip in data.first_clips(2, 8)] == [1, 1]


@pytest.mark.parametrize("kind", [FramePairData, MotionSequenceData, LipSyncData])
def test_motion_says_that_it_needs_all_frames(portraits, kind):
    options = {} if kind is MotionSequenceData else {"input_size": 32, "output_size": 32}
    options = {"size": 32} if kind is LipSyncData else options
    with pytest.raises(ValueError, match=rf"3 pictures of each clip .*, but {kind.__name__} needs all frames"):
        kind(str(portraits), batch_size=1, num_workers=0, **options).setup("fit")


def test_commands_of_motion_say_so_too_and_features_of_speech_are_computed(shards, portraits, tmp_path, capsys):
    words = ["codes", str(portraits), "--autoencoder", str(tmp_path / "none"), "--out", str(tmp_path / "codes")]
    assert main(words) == 2
    assert "but s2tf codes needs all frames" in capsys.readouterr().err
    with pytest.raises(ValueError, match="but the reference of a video needs all frames"):
        clips_with_sound(str(portraits), "test", None)
    source = SpeechPortraitData(str(portraits), 1, 0).sources[0].source
    with pytest.raises(ValueError, match="needs all frames"):
        clips_of_split(source, "test", None)
    network = LogMelFeatures()
    for folder in (shards, portraits):
        write_features(ShardCopy(folder, tmp_path / folder.name), network)
    few, whole = (clips(tmp_path / folder.name) for folder in (portraits, shards))
    assert all(np.array_equal(few[key].features(), whole[key].features()) for key in whole)


def test_a_frame_that_is_not_stored_is_named(portraits):
    sample = next(iter(clips(portraits).values()))
    for read in (lambda: sample.frame(1), sample.frames, sample.landmarks, lambda: sample.landmarks(13, 15)):
        with pytest.raises(ShardError, match=r"frame \d+ is not stored: it has 3 of its 40 frames"):
            read()
    assert torch.tensor(sample.landmarks(0, 0)).shape == (0, 68, 2)


@pytest.mark.parametrize("numbers", [[1, 2, 3], [0, 2, 2], [0, 13, 40], [0, 13, "26"], 3])
def test_a_record_with_other_numbers_of_frames_is_refused(portraits, numbers):
    record = next(iter(clips(portraits).values())).record
    with pytest.raises(ShardError, match=r"field 'portraits' is .*, expected increasing numbers of frames below 40"):
        ClipRecord(**asdict(record) | {"portraits": numbers})
    with pytest.raises(ShardError, match=r"field 'offsets' .*portraits \+ 1 = 3"):
        ClipRecord(**asdict(record) | {"portraits": [0, 13]})
