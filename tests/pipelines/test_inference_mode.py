"""Pipelines and torch's inference mode: opened inside or outside, called inside or outside, and trained afterwards."""

import numpy as np
import pytest
import torch
from small_pipelines import coloured_noise, small_talking_face_pipeline

from s2tf.models.flow_generator import DirectionBank
from s2tf.pipelines.talking_face import TalkingFacePipeline

SPEECH = coloured_noise(0.4)
FACE = np.full((32, 32, 3), 100, np.uint8)


def frames_of(pipeline):
    return np.stack(list(pipeline(SPEECH, FACE)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_talking_face_pipeline().save_pretrained(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def expected(folder):
    return frames_of(TalkingFacePipeline.from_pretrained(folder))


def train_a_step(autoencoder):
    """A step of the whole autoencoder, whose gradients need every tensor that was kept."""
    pictures = torch.rand(2, 3, autoencoder.input_size, autoencoder.input_size)
    codes = autoencoder.encode_motion(pictures)
    autoencoder.decode(autoencoder.encode_source(pictures), codes).image.mean().backward()


@pytest.mark.parametrize("opened_inside", [True, False])
@pytest.mark.parametrize("called_inside", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_frames_are_the_same_and_a_training_step_follows(folder, expected, opened_inside, called_inside, frozen):
    with torch.inference_mode(opened_inside):
        pipeline = TalkingFacePipeline.from_pretrained(folder).to("cpu")
    with torch.inference_mode(called_inside):
        assert np.array_equal(frames_of(pipeline), expected)
    autoencoder = pipeline.motion_autoencoder.train()
    autoencoder.flow_generator.directions.weight.requires_grad_(not frozen)
    train_a_step(autoencoder)


def test_a_pipeline_built_in_inference_mode_gives_the_same_frames(expected):
    with torch.inference_mode():
        assert np.array_equal(frames_of(small_talking_face_pipeline()), expected)


def test_a_changed_weight_of_inference_mode_changes_the_directions():
    with torch.inference_mode():
        bank = DirectionBank(8, 3)
        before = bank.basis().clone()
        bank.weight.normal_()
        assert not torch.equal(bank.basis(), before)
