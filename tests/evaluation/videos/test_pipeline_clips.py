"""The clips of shards on which `s2tf evaluate pipeline` measures: read when their turn comes."""

import gc

import numpy as np
import pytest
from tiny_shards import tiny_shards

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import ShardFile
from datamodules.shards.samples import Sample
from datamodules.shards.writing import read_split
from s2tf.errors import UserError
from s2tf.evaluation.videos.measure_clip import measure_clip
from s2tf.evaluation.videos.pipeline_clips import (
    HRTF,
    Generation,
    clips_with_sound,
    configurations_of,
    generated_pairs,
)
from s2tf.evaluation.videos.pixel_measures import PixelMeasure
from s2tf.pipelines.video_pipeline import VideoPipeline

CLIPS = 5


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("shards"), people=3 * CLIPS)


class Still(VideoPipeline):
    """A pipeline that holds the picture that it is given."""

    output_size = 64

    def __call__(self, speech, picture=None, *, seed=0, steps=None):
        return iter([picture] * (len(speech) // 640))


class Predicted(Still):
    """Another system's pipeline, whose frames are of predicted codes."""

    generates_portrait = True
    code_choice = "predicted"


def test_any_systems_pipeline_says_its_configurations_and_codes():
    assert configurations_of(Still()) == (HRTF,)
    assert configurations_of(Predicted()) == (HRTF, "hrtf-scfp")
    names = [Generation(one, HRTF, "x", 0, None, None).name for one in (Still(), Predicted())]
    assert names[1] == f"{names[0]}, predicted codes"


def alive(kind):
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is kind]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clips(shards):
    # Those that other tests have left behind; held here, so that they do not go meanwhile.
    before = {kind: alive(kind) for kind in (Sample, ShardFile)}

    def held(kind):
        return len(alive(kind)) - len(before[kind])

    pairs = generated_pairs(clips_with_sound(str(shards), "test", None), Generation(Still(), HRTF, "x", 0, None, None))
    assert len(pairs) == CLIPS
    assert (held(Sample), held(ShardFile)) == (0, 0)
    for pair in pairs:
        made, true = iter(pair.generated.frames()), iter(pair.reference.frames())
        next(made), next(true)
        assert pair.generated.waveform() is not None
        # One clip for each of both videos.
        assert held(Sample) <= 2
    made = true = None
    assert held(Sample) == 0


def test_each_clip_is_the_one_of_its_key(shards):
    samples = {sample.key: sample for sample in read_split(str(shards), "test")}
    pairs = generated_pairs(clips_with_sound(str(shards), "test", None), Generation(Still(), HRTF, "x", 0, None, None))
    assert [pair.key for pair in pairs] == sorted(samples)
    for pair in pairs:
        sample = samples[pair.key]
        np.testing.assert_array_equal(np.stack(list(pair.reference.frames())), sample.frames())
        np.testing.assert_array_equal(pair.reference.waveform(), sample.waveform())
        np.testing.assert_array_equal(next(pair.generated.frames()), sample.frame(0))
    assert len(clips_with_sound(str(shards), "test", 2)) == 2
    with pytest.raises(UserError, match="has sound, expected at least one"):
        clips_with_sound(str(shards), "test", 0)


def test_shards_that_were_made_anew_meanwhile_are_an_error_of_the_clip(tmp_path):
    clips = clips_with_sound(str(tiny_shards(tmp_path / "shards", people=3)), "test", None)
    other = tiny_shards(tmp_path / "other", people=3, seed=8)
    for path in other.glob("*.tar"):
        path.replace(tmp_path / "shards" / path.name)
    (pair,) = generated_pairs(clips, Generation(Still(), HRTF, "x", 0, None, None))
    with pytest.raises(ShardError, match="has changed since the evaluation began"):
        pair.reference.waveform()
    record = measure_clip(pair, [PixelMeasure()], 64)
    assert "has changed since the evaluation began" in record.failures["pixels"]
