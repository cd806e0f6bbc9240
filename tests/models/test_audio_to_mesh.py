import pytest
import torch
from small_networks import TINY_TRANSFORMER

from s2tf.models.audio_to_mesh import METRIC, AudioToMesh, from_audio2mesh, lips_of
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.log_mel_transformer import LogMelTransformer
from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features
from s2tf.nn.network import holds_random_part


def moving(speech, **kwargs):
    """A network whose last layer is not zero."""
    torch.manual_seed(0)
    network = AudioToMesh(speech, 8, **kwargs).eval()
    torch.nn.init.normal_(network.to_offsets.weight)
    return network


@pytest.mark.parametrize("kind", [Wav2Vec2Features, HubertFeatures])
def test_the_transformer_is_trained_along_and_its_convolutions_are_not(kind):
    network = moving(kind("random", trainable=True, config=TINY_TRANSFORMER), points=478)
    network.train()
    network(torch.randn(1, 6400), 10).square().mean().backward()
    trained = {name for name, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    assert any("encoder.layers" in name for name in trained)
    assert not any("feature_extractor" in name for name in trained)


@torch.no_grad()
def test_the_import_is_the_start_in_outer_eye_distances_and_new_points_stand_still(tmp_path):
    earlier = moving(Wav2Vec2Features("random", trainable=True, config=TINY_TRANSFORMER), points=468)
    earlier.mark_trained()
    earlier.save_pretrained(tmp_path)
    waveform, lips = torch.randn(1, 6400), torch.rand(1, 20, 3)
    network = from_audio2mesh(str(tmp_path), points=478).eval()
    offsets = network(waveform, 10, lips)
    torch.testing.assert_close(offsets[:, :, :468], earlier(waveform, 10) * METRIC)
    assert not offsets[:, :, 468:].any()
    assert not holds_random_part(network)
    network.save_pretrained(tmp_path / "tuned")
    again = AudioToMesh.from_pretrained(tmp_path / "tuned")
    torch.testing.assert_close(again(waveform, 10, lips), offsets)
    ibug = from_audio2mesh(str(tmp_path), points=68).eval()
    torch.testing.assert_close(lips_of(ibug(waveform, 10, lips)), lips_of(offsets))


@torch.no_grad()
def test_a_recording_is_read_in_windows_as_in_training():
    """A window of training, with the recording's level, and the same frames of the recording have the same lips."""
    network = moving(LogMelTransformer(8, 1, 2), points=68, reference=True, window=20, overlap=4)
    torch.manual_seed(1)
    recording, lips = torch.randn(1, 50 * 640) * torch.linspace(0.1, 2, 50 * 640), torch.rand(1, 20, 3)
    whole = network.lips(recording, 50, lips)
    level = torch.stack([recording.mean(1), recording.var(1, unbiased=False)], dim=1)
    window = lips[:, None] + lips_of(network(recording[:, : 20 * 640], 20, lips, level))
    torch.testing.assert_close(whole[:, :16], window[:, :16])
    # The window's own level gives other lips, and so does a context that training has never seen.
    assert not torch.allclose(
        whole[:, :16], lips[:, None] + lips_of(network(recording[:, : 20 * 640], 20, lips))[:, :16]
    )
    network.window = None
    assert not torch.allclose(whole, network.lips(recording, 50, lips), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 19, 20, 21, 36, 37, 50])
def test_windows_cover_any_length_and_blend_to_one(frames):
    network = moving(LogMelTransformer(8, 1, 2), points=68, window=20, overlap=4)
    torch.nn.init.zeros_(network.to_offsets.weight)
    torch.nn.init.ones_(network.to_offsets.bias)
    lips = network.lips(torch.randn(1, frames * 640), frames, torch.zeros(1, 20, 3))
    torch.testing.assert_close(lips, torch.ones(1, frames, 20, 3))


def test_what_does_not_fit_is_refused():
    speech = LogMelTransformer(8, 1, 2)
    with pytest.raises(ValueError, match="points is 70, expected 68, 468 or 478"):
        AudioToMesh(speech, points=70)
    with pytest.raises(ValueError, match="overlap is 10"):
        AudioToMesh(speech, points=68, window=20, overlap=10)
    with pytest.raises(ValueError, match="speech is a LogMelFeatures, expected one with convolutions"):
        AudioToMesh(LogMelFeatures(8), points=68)
    with pytest.raises(ValueError, match="no lips of the reference"):
        AudioToMesh(speech, points=68, reference=True)(torch.randn(1, 640), 1)
