import numpy as np
import pytest
import torch
from narrow_autoencoder import LATENT, MOTION, narrow_parts
from small_pipelines import coloured_noise, small_talking_face_pipeline

from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.log_mel_transformer import LogMelTransformer
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.models.motion_reader import MotionReader
from s2tf.pipelines.talking_face import TalkingFacePipeline


def mesh_network():
    torch.manual_seed(5)
    network = AudioToMesh(LogMelTransformer(8, 1, 2), 8, 68, reference=True, window=20, overlap=4)
    torch.nn.init.normal_(network.to_offsets.weight, std=0.1)
    return network


@pytest.fixture(scope="module")
def pipeline():
    """A second stage with audio2lmk of AniPortrait's form, without features of its own, and lips in space."""
    other = small_talking_face_pipeline()
    torch.manual_seed(6)
    parts = {**narrow_parts(codebook=False), "motion_reader": MotionReader(LATENT, MOTION, 16, space=True)}
    autoencoder = MotionAutoencoder(**parts)
    for parameter in autoencoder.lip_refiner.merges.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return TalkingFacePipeline(
        autoencoder, None, mesh_network(), other.motion_features, other.motion_diffusion, other.talking_settings
    )


def test_lips_of_a_mesh_network_move_the_mouth_and_the_pipeline_is_saved_whole(pipeline, tmp_path):
    portrait = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    source, speech = pipeline.encode_portrait(portrait), coloured_noise(2.0)
    motion = pipeline.sample_motion(source, speech)
    assert tuple(motion.lips.shape) == (50, 20, 3)
    frames = list(pipeline(speech, portrait))
    assert len(frames) == 50
    pipeline.save_pretrained(tmp_path)
    again = TalkingFacePipeline.from_pretrained(tmp_path)
    assert again.lip_features is None
    np.testing.assert_array_equal(list(again(speech, portrait)), frames)
    # Gains work on lips in space.
    still = again.sample_motion(source, speech, gains={"lips": 0.0}).lips
    assert torch.equal(still, still[:1].expand_as(still))


@torch.no_grad()
def test_the_lips_turn_with_the_head_of_the_frame(pipeline):
    """The refiner gets lips whose yaw is that of the code's head."""
    autoencoder = pipeline.motion_autoencoder
    source = pipeline.encode_portrait(np.zeros((16, 16, 3), np.uint8))
    lips = torch.zeros(1, 20, 3)
    lips[0, :, 0], lips[0, :, 2] = torch.linspace(-0.3, 0.3, 20), 0.5
    placement = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    turned = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.35, 0.0]])
    frontal, moved = (
        autoencoder.decode(source, torch.zeros(1, MOTION), lips, one).mouth[0, :, 0] for one in (placement, turned)
    )
    torch.testing.assert_close(moved, frontal * np.cos(0.35) - 0.5 * np.sin(0.35))


def test_lips_of_the_other_kind_are_refused(pipeline):
    other = small_talking_face_pipeline()
    with pytest.raises(ValueError, match="gives lips in space .* trained on lips in the plane"):
        TalkingFacePipeline(
            other.motion_autoencoder, None, mesh_network(), other.motion_features, other.motion_diffusion
        )
    with pytest.raises(ValueError, match="lip_features is missing"):
        TalkingFacePipeline(
            other.motion_autoencoder, None, other.lip_landmarks, other.motion_features, other.motion_diffusion
        )
