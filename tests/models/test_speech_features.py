import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model

from s2tf.models.log_mel_features import LogMelFeatures, mel_filters
from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features
from s2tf.models.speech_features import normalised
from s2tf.nn.network import Network

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "feat_extract_norm": "layer",
}


def make_features(kind):
    if kind == "log-mel":
        return LogMelFeatures(24).eval()
    network_class = HubertFeatures if kind == "hubert" else Wav2Vec2Features
    return network_class("random", layers="weighted", config=SMALL).eval()


@pytest.mark.parametrize("kind", ["log-mel", "hubert", "wav2vec"])
@pytest.mark.parametrize("samples", [1, 321, 639, 640, 641, 3199, 3200, 3201, 399, 400, 401, 16_000 * 3 + 77])
def test_exactly_two_features_per_frame_for_any_length(kind, samples):
    frames = max(1, round(samples / 640))
    features = make_features(kind)(torch.randn(2, samples), frames)
    assert features.shape == (2, 2 * frames, 24 if kind == "log-mel" else 32)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("kind", ["log-mel", "hubert"])
def test_thirty_seconds(kind):
    with torch.no_grad():
        assert make_features(kind)(torch.randn(1, 480_000), 750).shape[1] == 1500


@pytest.mark.parametrize("kind", ["log-mel", "hubert"])
def test_silence_is_finite(kind):
    assert torch.isfinite(make_features(kind)(torch.zeros(1, 3200), 5)).all()


def test_a_waveform_that_does_not_belong_to_the_frames_is_refused():
    with pytest.raises(ValueError, match="does not belong to 10 frames"):
        LogMelFeatures(8)(torch.zeros(1, 3200), 10)
    with pytest.raises(ValueError, match="0 samples"):
        LogMelFeatures(8)(torch.zeros(1, 0), 1)


@pytest.mark.parametrize("kind", ["log-mel", "hubert"])
def test_loudness_and_offset_do_not_matter(kind):
    features, waveform = make_features(kind), torch.randn(1, 6400)
    torch.testing.assert_close(features(0.05 * waveform + 0.2, 10), features(waveform, 10), rtol=1e-3, atol=1e-3)


def test_feature_i_describes_the_sound_around_its_time():
    """A click at sample 320 i + 160 changes feature i most, and equally on both sides."""
    mel = LogMelFeatures(8).eval()
    quiet = 0.01 * torch.sin(torch.arange(6400) * 0.3)[None]
    click = quiet.clone()
    click[0, 320 * 9 + 160] += 1.0
    change = (mel.log_mel(click) - mel.log_mel(quiet)).abs().mean(dim=1)[0]
    assert set(change.topk(2).indices.tolist()) == {18, 19}


def test_log_mel_of_a_tone_peaks_at_its_band():
    waveform = torch.sin(2 * torch.pi * 1000 * torch.arange(6400) / 16_000)[None]
    band = LogMelFeatures(8).log_mel(normalised(waveform))[0, :, 20].argmax()
    filters = mel_filters(80)
    assert filters[band].argmax() == pytest.approx(1000 / 31.25, abs=1)
    torch.testing.assert_close(filters.sum(dim=1), torch.ones(80))


@pytest.mark.parametrize(
    ("ours", "model", "config"),
    [(HubertFeatures, HubertModel, HubertConfig), (Wav2Vec2Features, Wav2Vec2Model, Wav2Vec2Config)],
)
def test_a_local_checkpoint_is_loaded_and_saved_with_its_weights(tmp_path, ours, model, config):
    reference = model(config(**SMALL)).eval()
    reference.save_pretrained(tmp_path / "weights")
    network = ours(str(tmp_path / "weights"))
    assert not network.is_random
    assert not any(parameter.requires_grad for parameter in network.parameters())
    waveform = torch.randn(1, 6400)
    padded = torch.nn.functional.pad(normalised(waveform), (40, 40))
    with torch.no_grad():
        expected = reference(padded).last_hidden_state
        torch.testing.assert_close(network(waveform, 10), expected)
        network.save_pretrained(tmp_path / "ours")
        (tmp_path / "weights" / "config.json").unlink()
        again = Network.from_pretrained(tmp_path / "ours")
        torch.testing.assert_close(again(waveform, 10), expected)
    assert not again.is_random


def test_missing_weights_name_the_key_and_the_source():
    with pytest.raises(FileNotFoundError, match=r"HubertFeatures\.weights is '/no/such'.*facebook/hubert-large"):
        HubertFeatures("/no/such")


def test_unknown_entries_of_the_configuration_are_refused():
    with pytest.raises(ValueError, match="hiden_size"):
        HubertFeatures("random", config={"hiden_size": 8})
    with pytest.raises(ValueError, match="expected 320"):
        HubertFeatures("random", config=SMALL | {"conv_stride": [5, 2, 2, 2, 2, 2, 1]})


def test_long_speech_in_pieces_agrees_with_one_pass(monkeypatch):
    """A piece sees its neighbours, so that only what the transformer reads from further away is lost."""
    network = make_features("hubert")
    waveform = torch.randn(1, 640 * 40)
    with torch.no_grad():
        whole = network(waveform, 40)
        monkeypatch.setattr("s2tf.models.pretrained_speech.CHUNK", 30)
        pieces = network(waveform, 40)
    assert pieces.shape == whole.shape
    assert float((pieces - whole).norm() / whole.norm()) < 0.05
    np.testing.assert_array_less(0, float((pieces - whole).norm()))


def test_weights_of_the_layers_learn_while_the_transformer_stays():
    network = make_features("hubert").train()
    network(torch.randn(2, 3200), 5).square().sum().backward()
    assert network.layer_weights.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert not network.backbone.training


def test_a_trainable_transformer_gets_gradients_but_its_convolutions_do_not():
    network = HubertFeatures("random", trainable=True, config=SMALL).train()
    assert network.is_random
    network(torch.randn(2, 3200), 5).square().sum().backward()
    grads = {name: parameter.grad is not None for name, parameter in network.backbone.encoder.named_parameters()}
    assert all(grads.values())
    assert all(parameter.grad is None for parameter in network.backbone.feature_extractor.parameters())
    network.mark_trained()
    assert not network.is_random


def test_log_mel_trains():
    network = LogMelFeatures(8)
    network(torch.randn(2, 3200), 5).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(("network_class", "model"), [(HubertFeatures, HubertModel), (Wav2Vec2Features, Wav2Vec2Model)])
def test_files_without_the_vector_of_masked_places_are_the_same_network_every_time(network_class, model, tmp_path):
    whole = model({HubertModel: HubertConfig, Wav2Vec2Model: Wav2Vec2Config}[model](**SMALL))
    state = {name: value for name, value in whole.state_dict().items() if name != "masked_spec_embed"}
    assert len(state) < len(whole.state_dict())
    whole.save_pretrained(tmp_path, state_dict=state)
    fingerprints = {network_class(str(tmp_path)).fingerprint() for _ in range(2)}
    assert len(fingerprints) == 1


def test_a_folder_that_lacks_tensors_or_has_others_is_refused_by_their_names(tmp_path):
    whole = HubertModel(HubertConfig(**SMALL))
    state = whole.state_dict()
    dropped = "encoder.layers.0.attention.k_proj.weight"
    whole.save_pretrained(tmp_path / "less", state_dict={name: x for name, x in state.items() if name != dropped})
    with pytest.raises(ValueError, match=rf"HubertFeatures\.weights: .*less does not fit .*{dropped}"):
        HubertFeatures(str(tmp_path / "less"))
    other = {name: x[:3].clone() if name == dropped else x for name, x in state.items()}
    whole.save_pretrained(tmp_path / "other", state_dict=other)
    with pytest.raises(ValueError, match=rf"HubertFeatures\.weights: .*other does not fit .*{dropped}"):
        HubertFeatures(str(tmp_path / "other"))


@pytest.mark.parametrize("network_class", [HubertFeatures, Wav2Vec2Features])
def test_training_the_transformer_keeps_nothing_of_the_frozen_convolutions(network_class):
    features = network_class("random", trainable=True, config=SMALL).train()
    sound = torch.randn(2, 6400)
    assert not features.backbone.feature_extractor(sound).requires_grad
    features(sound, 10).sum().backward()
    trained = {name.split(".")[1] for name, value in features.named_parameters() if value.grad is not None}
    assert trained == {"feature_projection", "encoder"}


def test_a_folder_without_weights_is_named(tmp_path):
    HubertConfig(**SMALL).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"HubertFeatures\.weights: .* has no weights that can be read"):
        HubertFeatures(str(tmp_path))
