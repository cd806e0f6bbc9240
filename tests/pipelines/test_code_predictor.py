"""A pipeline whose codes are those of CodeFormer's predictor."""

import json

import numpy as np
import pytest
import torch
from narrow_autoencoder import narrow_autoencoder, narrow_codeformer
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline

from s2tf.cli import main
from s2tf.media.audio import write_wav
from s2tf.media.pictures import to_uint8
from s2tf.models.codeformer import CodePredictor
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
from s2tf.pipelines.talking_face import TalkingFacePipeline, TalkingSettings

SPEECH = coloured_noise(0.5)
PORTRAIT = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def codeformer():
    return narrow_codeformer()


@pytest.fixture(scope="module")
def autoencoder():
    """An autoencoder in whose pictures the codes can be seen."""
    torch.manual_seed(8)
    network = narrow_autoencoder(codes=12).eval()
    torch.nn.init.normal_(network.codebook.generator.to_rgb.weight, std=0.3)
    torch.nn.init.normal_(network.codebook.quantiser.embedding.weight)
    return network


@pytest.fixture(scope="module")
def nearest(autoencoder):
    return pipeline_of(autoencoder)


@pytest.fixture(scope="module")
def predicted(autoencoder, codeformer):
    return pipeline_of(autoencoder, codeformer.predictor)


def pipeline_of(autoencoder, predictor=None, batch=4):
    others = {**small_talking_face_pipeline().components, "motion_autoencoder": autoencoder}
    settings = TalkingSettings(steps=3, batch=batch)
    return TalkingFacePipeline(**others, code_predictor=predictor, talking_settings=settings)


def frames_of(pipeline, speech=SPEECH):
    return np.stack(list(pipeline(speech, PORTRAIT)))


@torch.no_grad()
def test_frames_have_the_codes_that_the_predictor_finds_most_likely(autoencoder, codeformer, nearest, predicted):
    frames = frames_of(predicted)
    assert not np.array_equal(frames, frames_of(nearest))
    # The same frames step by step: the number of each place's code from the latents, then the picture.
    source = predicted.encode_portrait(PORTRAIT)
    motion = predicted.sample_motion(source, SPEECH)
    codes = autoencoder.codebook.quantiser.embedding.weight

    def by_number(code):
        numbers = codeformer.predictor(code.z).argmax(dim=2)
        return codes[numbers].permute(0, 2, 1).reshape(code.z.shape)

    expected = autoencoder.decode(source, motion.codes, motion.lips, change_codes=by_number).image
    assert np.array_equal(frames, to_uint8(expected))


@torch.no_grad()
def test_without_a_predictor_frames_and_folder_are_those_of_the_nearest_codes(autoencoder, nearest, tmp_path):
    source = nearest.encode_portrait(PORTRAIT)
    motion = nearest.sample_motion(source, SPEECH)
    blocks = zip(motion.codes.split(4), motion.lips.split(4), strict=True)
    expected = [to_uint8(autoencoder.decode(source, *block).image) for block in blocks]
    assert np.array_equal(frames_of(nearest), np.concatenate(expected))
    index = json.loads((nearest.save_pretrained(tmp_path) / "model_index.json").read_text())
    assert not any("predict" in text for text in (json.dumps(index), *(one.name for one in tmp_path.iterdir())))
    again = TalkingFacePipeline.from_pretrained(tmp_path)
    assert (again.code_predictor, again.code_choice) == (None, "nearest")


def test_frames_do_not_depend_on_the_block_and_the_predictor_sees_no_more_than_one(
    autoencoder, codeformer, predicted, monkeypatch
):
    rows, forward = [], CodePredictor.forward
    monkeypatch.setattr(
        CodePredictor, "forward", lambda self, latent: rows.append(len(latent)) or forward(self, latent)
    )
    speech = coloured_noise(1.0)
    frames = frames_of(predicted, speech)
    assert (max(rows), sum(rows), len(frames)) == (4, 25, 25)
    for batch in (1, 7, 25):
        assert np.array_equal(frames_of(pipeline_of(autoencoder, codeformer.predictor, batch), speech), frames)


def test_the_predictor_is_saved_with_the_pipeline(predicted, tmp_path):
    both = SpeechToTalkingFacePipeline(small_portrait_pipeline(), predicted)
    folder = both.save_pretrained(tmp_path)
    assert json.loads((folder / "model_index.json").read_text())["components"]["code_predictor"] == "CodePredictor"
    for kind in (SpeechToTalkingFacePipeline, TalkingFacePipeline):
        again = kind.from_pretrained(folder)
        assert again.code_choice == "predicted"
        assert np.array_equal(frames_of(again), frames_of(predicted))


def test_a_folder_with_a_predictor_of_another_codebook_is_refused(predicted, tmp_path):
    folder = predicted.save_pretrained(tmp_path)
    CodePredictor(8, 64, 99, 16, 1, 2, 16).save_pretrained(folder / "code_predictor")
    with pytest.raises(ValueError, match="the code predictor is for 99 codes .* but the codebook has 12 codes"):
        TalkingFacePipeline.from_pretrained(folder)


def test_a_predictor_without_a_codebook_is_refused(codeformer):
    with pytest.raises(ValueError, match="a code predictor needs a codebook"):
        pipeline_of(narrow_autoencoder(codebook=False), codeformer.predictor)


@pytest.mark.parametrize("choice", ["nearest", "predicted"])
def test_the_record_of_a_video_names_the_choice_of_its_codes(choice, request, tmp_path):
    both = SpeechToTalkingFacePipeline(small_portrait_pipeline(), request.getfixturevalue(choice))
    both.save_pretrained(tmp_path / "pipeline")
    write_wav(tmp_path / "speech.wav", SPEECH)
    words = [str(tmp_path / "speech.wav"), "--pipeline", str(tmp_path / "pipeline"), "--steps", "2"]
    generate = ["generate", *words, "--portrait", str(tmp_path / "p.png"), "--out", str(tmp_path / "g.mp4")]
    animate = ["animate", str(tmp_path / "p.png"), *words, "--out", str(tmp_path / "a.mp4")]
    for command in (generate, animate):
        assert main([*command, "--json", str(tmp_path / "record.json")]) == 0
        assert json.loads((tmp_path / "record.json").read_text())["codes"] == choice
