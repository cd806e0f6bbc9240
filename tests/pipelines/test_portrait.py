import json
import shutil

import numpy as np
import pytest
import torch
from small_networks import TINY_TRANSFORMER

from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.models.waveform_speech_encoder import WaveformSpeechEncoder
from s2tf.pipelines.index import INDEX_FILE
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++"])
def test_a_saved_and_loaded_pipeline_draws_the_same_portrait(portrait_pipeline, speech, tmp_path, sampler):
    before = portrait_pipeline(speech, sampler=sampler, seed=7)

    portrait_pipeline.save_pretrained(tmp_path)
    after = PortraitPipeline.from_pretrained(tmp_path)(speech, sampler=sampler, seed=7)

    assert before.image.shape == (32, 32, 3)
    assert before.image.dtype == np.uint8
    assert np.array_equal(before.image, after.image)
    assert torch.equal(before.latent, after.latent)


def test_the_seed_decides_the_portrait(portrait_pipeline, speech):
    first = portrait_pipeline(speech, seed=1)
    again = portrait_pipeline(speech, seed=torch.Generator().manual_seed(1))
    other = portrait_pipeline(speech, seed=2)

    assert torch.equal(first.latent, again.latent)
    assert not torch.equal(first.latent, other.latent)
    # The global generator is not touched.
    state = torch.get_rng_state()
    portrait_pipeline(speech, seed=None)
    assert torch.equal(state, torch.get_rng_state())


def test_speech_of_any_length_gives_a_portrait(portrait_pipeline, speech):
    for samples in (1, 399, 48000, 64000):
        assert portrait_pipeline(speech[:samples]).image.shape == (32, 32, 3)
    # Three seconds are heard; what follows them is cut.
    assert torch.equal(portrait_pipeline(speech[:48000]).latent, portrait_pipeline(speech).latent)


@pytest.mark.parametrize(
    "waveform", [np.zeros(0, np.float32), np.zeros((2, 16000), np.float32), np.array([0.0, np.nan], np.float32)]
)
def test_a_waveform_that_cannot_be_heard_is_refused(portrait_pipeline, waveform):
    with pytest.raises(ValueError, match="waveform"):
        portrait_pipeline(waveform)


def test_settings_come_back_as_they_were(portrait_pipeline, tmp_path):
    portrait_pipeline.save_pretrained(tmp_path)
    assert PortraitPipeline.from_pretrained(tmp_path).portrait_settings == PortraitSettings(seconds=3.0, steps=3)


@pytest.mark.parametrize(
    "path", [INDEX_FILE, "face_decoder/config.json", "portrait_diffusion/weights.safetensors", "speech_encoder"]
)
def test_a_missing_file_is_named(portrait_pipeline, tmp_path, path):
    portrait_pipeline.save_pretrained(tmp_path)
    missing = tmp_path / path
    shutil.rmtree(missing) if missing.is_dir() else missing.unlink()

    with pytest.raises(FileNotFoundError, match=str(missing)):
        PortraitPipeline.from_pretrained(tmp_path)


def _change_index(folder, change):
    path = folder / INDEX_FILE
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index["components"].pop("face_decoder"), "face_decoder"),
        (lambda index: index["settings"]["portrait_settings"].update(stepz=3), "stepz"),
        (lambda index: index["settings"]["portrait_settings"].pop("steps"), "steps"),
        (lambda index: index["settings"]["portrait_settings"].update(hop=128), "hop is 128"),
        (lambda index: index.pop("settings"), "settings"),
    ],
)
def test_an_index_of_another_pipeline_is_refused_by_name(portrait_pipeline, tmp_path, change, message):
    portrait_pipeline.save_pretrained(tmp_path)
    _change_index(tmp_path, change)

    with pytest.raises(ValueError, match=message) as raised:
        PortraitPipeline.from_pretrained(tmp_path)
    assert INDEX_FILE in str(raised.value)


def test_a_component_of_another_class_is_refused(portrait_pipeline, tmp_path):
    portrait_pipeline.save_pretrained(tmp_path)
    SpeechEncoder(dim=16, width=1 / 64, hidden=8).save_pretrained(tmp_path / "face_decoder")

    with pytest.raises(TypeError, match="face_decoder"):
        PortraitPipeline.from_pretrained(tmp_path)


def test_random_weights_are_flagged_and_stay_flagged(portrait_pipeline, speech, tmp_path):
    assert portrait_pipeline(speech).random_weights == ()
    flagged = PortraitPipeline(
        **portrait_pipeline.components,
        portrait_settings=portrait_pipeline.portrait_settings,
        random_weights=["face_decoder"],
    )

    flagged.save_pretrained(tmp_path)

    assert PortraitPipeline.from_pretrained(tmp_path)(speech).random_weights == ("face_decoder",)


def test_a_part_that_says_it_is_random_is_flagged_without_being_declared(portrait_pipeline):
    portrait_pipeline.speech_encoder.attention.is_random = True
    assert portrait_pipeline.random_weights == ("speech_encoder",)


def test_an_unknown_name_among_the_random_ones_is_refused(portrait_pipeline):
    with pytest.raises(ValueError, match="face_encoder"):
        PortraitPipeline(**portrait_pipeline.components, random_weights=["face_encoder"])


def test_portraits_of_several_speeches_are_those_of_each_alone(portrait_pipeline, speech):
    waveforms, seeds = [speech, speech[::-1].copy(), speech[:20000]], [3, 4, 3]
    together = portrait_pipeline.generate(waveforms, seeds)
    for output, waveform, seed in zip(together, waveforms, seeds, strict=True):
        torch.testing.assert_close(output.latent, portrait_pipeline(waveform, seed=seed).latent, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="1 seeds for 3 waveforms"):
        portrait_pipeline.generate(waveforms, [0])


def test_a_pipeline_may_read_the_waveform_itself(portrait_pipeline, speech, tmp_path):
    encoder = WaveformSpeechEncoder("random", dim=16, hidden=8, config=TINY_TRANSFORMER)
    encoder.mark_trained()
    pipeline = PortraitPipeline(
        encoder, portrait_pipeline.portrait_diffusion, portrait_pipeline.face_decoder, PortraitSettings(steps=3)
    )
    before = pipeline(speech, seed=1)
    pipeline.save_pretrained(tmp_path)
    assert torch.equal(PortraitPipeline.from_pretrained(tmp_path)(speech, seed=1).latent, before.latent)
