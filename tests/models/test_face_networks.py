import json

import pytest
import torch

from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import INPUT_SCALE, MEAN_RGB, FaceEncoder
from s2tf.nn.network import Network

FC7 = {"dim": 16, "width": 1 / 16, "image_size": 64, "hidden": 12, "pooled": 2}
SPATIAL = {"dim": 4 * 8 * 8, "width": 1 / 16, "image_size": 64, "form": "spatial"}


def _decoder(arguments):
    return FaceDecoder(**{name: arguments[name] for name in arguments if name not in ("hidden", "pooled")})


def test_parameter_counts_at_paper_width():
    with torch.device("meta"):
        encoder, decoder = FaceEncoder(), FaceDecoder()
        z = encoder(torch.zeros(1, 3, 256, 256))
        picture = decoder(z)
    convolutions = sum(p.numel() for p in encoder.convolutions.parameters())
    assert convolutions == 14_714_688
    assert encoder.fc6.weight.shape == (4096, 25088)
    assert encoder.parameter_count - convolutions == pytest.approx(119.6e6, rel=0.001)
    assert z.shape == (1, 4096)
    assert picture.shape == (1, 3, 256, 256)


def test_spatial_form_at_paper_size_is_a_map_of_4096():
    with torch.device("meta"):
        z = FaceEncoder(form="spatial")(torch.zeros(1, 3, 256, 256))
        assert z.shape == (1, 4096)
        assert FaceDecoder(form="spatial")(z).shape == (1, 3, 256, 256)


@pytest.mark.parametrize("arguments", [FC7, SPATIAL], ids=["fc7", "spatial"])
@pytest.mark.parametrize("norm", ["none", "group"])
def test_gradient_reaches_every_parameter(arguments, norm):
    encoder, decoder = FaceEncoder(**arguments, norm=norm), _decoder({**arguments, "norm": norm})
    picture = decoder(encoder(torch.rand(8, 3, 64, 64) * 2 - 1))
    picture.pow(2).mean().backward()
    named = [*encoder.named_parameters(), *decoder.named_parameters()]
    assert [name for name, p in named if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert picture.shape == (8, 3, 64, 64)


def test_a_place_in_the_spatial_latent_is_a_place_in_the_picture():
    encoder = FaceEncoder(**SPATIAL).eval()
    picture = torch.zeros(1, 3, 64, 64)
    changed = picture.clone()
    changed[..., :4, :4] = 1
    difference = (encoder(changed) - encoder(picture)).reshape(4, 8, 8).abs().sum(0)
    assert difference[0, 0] > 0
    assert difference[7, 7] == 0


def test_blocks_may_be_shallower():
    encoder, decoder = FaceEncoder(**FC7, depths=[1, 1, 1, 2, 1]), _decoder({**FC7, "depths": [1, 1, 1, 2, 1]})
    names = [name for name, _ in encoder.convolutions.named_children() if name.startswith("conv")]
    assert names == ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1"]
    assert decoder(encoder(torch.rand(1, 3, 64, 64))).shape == (1, 3, 64, 64)


def test_three_halvings_of_64_pixels_leave_the_map_that_five_leave_of_256():
    encoder, decoder = FaceEncoder(**{**FC7, "pooled": 8}, halvings=3), _decoder({**FC7, "halvings": 3})
    assert encoder.convolutions(torch.zeros(1, 3, 64, 64)).shape[2:] == (8, 8)
    assert decoder.seed_size == 8
    assert decoder(encoder(torch.rand(1, 3, 64, 64))).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("arguments", [FC7, SPATIAL], ids=["fc7", "spatial"])
def test_the_shortcut_makes_a_linear_autoencoder_beside_the_convolutions(arguments):
    encoder, decoder = FaceEncoder(**arguments, shortcut=16), _decoder({**arguments, "shortcut": 16})
    plain = {name for name, _ in FaceEncoder(**arguments).named_parameters()}
    assert {name for name, _ in encoder.named_parameters()} - plain == {
        "shortcut.linear.weight",
        "shortcut.linear.bias",
    }
    z = torch.randn(3, arguments["dim"])
    middle = decoder(z[:2].mean(0, keepdim=True))
    # At first the convolutions draw nothing, and the decoder is linear.
    torch.testing.assert_close(middle, decoder(z[:2]).mean(0, keepdim=True), rtol=1e-4, atol=1e-5)
    decoder(encoder(torch.rand(2, 3, 64, 64))).square().mean().backward()
    assert encoder.shortcut.linear.weight.grad.abs().sum() > 0
    assert decoder.to_picture.weight.grad.abs().sum() > 0


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"depths is \[1, 0\], expected 5 positive numbers"):
        FaceEncoder(**FC7, depths=[1, 0])
    with pytest.raises(ValueError, match="dim is 100, expected 256"):
        FaceEncoder(dim=100, width=0.1, image_size=64, form="spatial")
    with pytest.raises(ValueError, match="halvings is 6, expected 0 to 5"):
        FaceEncoder(**FC7, halvings=6)
    with pytest.raises(ValueError, match="multiple of 32"):
        FaceDecoder(dim=16, width=0.1, image_size=80)


def _vggface_file(encoder, path):
    state = {name.removeprefix("convolutions."): torch.randn_like(p) for name, p in encoder.named_parameters()}
    torch.save(state, path)
    return state


@pytest.mark.parametrize(("order", "channels"), [({}, (0, 1, 2)), ({"channel_order": "bgr"}, (2, 1, 0))])
def test_vggface_weights_see_the_channels_in_their_order_with_the_mean_subtracted(tmp_path, order, channels):
    """RGB unless said otherwise: so the author of `vgg_face_dag.pth` evaluates it (lfw_eval.py)."""
    path = tmp_path / "vgg_face.pth"
    state = _vggface_file(FaceEncoder(**FC7), path)
    encoder = FaceEncoder(**FC7, weights=str(path), **order)
    rgb = torch.randint(0, 256, (2, 3, 64, 64)).float()
    mean = torch.tensor(MEAN_RGB)
    shown = torch.stack([rgb[:, c] - mean[c] for c in channels], dim=1)
    expected = torch.nn.functional.conv2d(shown, state["conv1_1.weight"], state["conv1_1.bias"], padding=1)
    seen = []
    # Cloned, since the ReLU that follows works in place.
    encoder.convolutions.conv1_1.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    encoder(rgb / 127.5 - 1)
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(encoder.convolutions.conv1_1.weight, state["conv1_1.weight"] * INPUT_SCALE)
    assert not encoder.is_random


def test_the_feature_may_be_before_or_after_the_relu_of_fc7(tmp_path):
    torch.manual_seed(0)
    portrait = torch.rand(2, 3, 64, 64)
    encoder = FaceEncoder(**FC7)
    before = encoder(portrait)
    encoder.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["init_args"]["feature"] = "after_relu"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert before.min() < 0
    torch.testing.assert_close(Network.from_pretrained(tmp_path)(portrait), before.clamp(min=0))
    with pytest.raises(ValueError, match="the spatial form has no fc7"):
        FaceEncoder(**SPATIAL, feature="after_relu")
    with pytest.raises(ValueError, match="channel_order is 'gbr', expected 'rgb' or 'bgr'"):
        FaceEncoder(**FC7, channel_order="gbr")


def test_an_encoder_stored_before_the_order_could_be_chosen_still_sees_bgr(tmp_path):
    encoder = FaceEncoder(**FC7, channel_order="bgr").eval()
    encoder.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["init_args"]["channel_order"], config["init_args"]["feature"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = Network.from_pretrained(tmp_path)
    portrait = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(loaded(portrait), encoder(portrait))
    assert loaded.config["init_args"]["channel_order"] == "bgr"


def test_missing_and_wrong_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"face_encoder.weights is 'absent.pth'"):
        FaceEncoder(**FC7, weights="absent.pth")
    path = tmp_path / "other.pth"
    _vggface_file(FaceEncoder(**{**FC7, "width": 1 / 8}), path)
    with pytest.raises(ValueError, match=r"conv1_1.weight \(8, 3, 3, 3\), expected \(4, 3, 3, 3\)"):
        FaceEncoder(**FC7, weights=str(path))


def test_a_pretrained_encoder_loads_where_the_weights_file_is_gone(tmp_path):
    path = tmp_path / "vgg_face.pth"
    _vggface_file(FaceEncoder(**FC7), path)
    encoder = FaceEncoder(**FC7, weights=str(path)).eval()
    encoder.save_pretrained(tmp_path / "saved")
    path.unlink()
    loaded = Network.from_pretrained(tmp_path / "saved")
    portrait = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(loaded(portrait), encoder(portrait))
    assert not loaded.is_random


def test_random_weights_say_so():
    encoder = FaceEncoder(**FC7)
    assert encoder.is_random
    encoder.mark_trained()
    assert not encoder.is_random
