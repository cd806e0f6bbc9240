"""`s2tf import`: public weights become networks, and wrong files are refused by the names of their tensors."""

import pytest
import torch
from transformers import HubertConfig, HubertModel
from undrawn import Undrawn

from s2tf.cli import main
from s2tf.models.face_encoder import INPUT_SCALE, FaceEncoder
from s2tf.nn.network import Network


@pytest.fixture
def undrawn():
    with Undrawn():
        yield


@pytest.mark.slow
def test_vggface_becomes_a_face_encoder(tmp_path, capsys, undrawn):
    """A file of VGGFace's own names and shapes, with the classifier that is not used."""
    with torch.device("meta"):
        shapes = {name.removeprefix("convolutions."): value.shape for name, value in FaceEncoder().named_parameters()}
    # One number each, seen in the tensor's shape: four files of half a gigabyte take long to write.
    state = {name: torch.tensor(1e-3).expand(shape) for name, shape in shapes.items()} | {"fc8.bias": torch.zeros(2622)}
    torch.save(state, tmp_path / "vgg.pth")
    assert main(["import", "vggface", str(tmp_path / "vgg.pth"), "--out", str(tmp_path / "face")]) == 0
    text = capsys.readouterr().out
    assert "FaceEncoder, 134." in text
    assert "channel order rgb, feature after_relu of fc7" in text
    encoder = Network.from_pretrained(tmp_path / "face")
    assert (encoder.channel_order, encoder.feature) == ("rgb", "after_relu")
    assert not encoder.is_random
    weights = dict(encoder.named_parameters())
    assert weights["fc7.weight"].unique().tolist() == pytest.approx([1e-3])
    assert weights["convolutions.conv1_1.weight"].unique().tolist() == pytest.approx([1e-3 * INPUT_SCALE])
    torch.save({**state, "fc7.weight": torch.zeros(()).expand(2622, 4096)}, tmp_path / "other.pth")
    assert main(["import", "vggface", str(tmp_path / "other.pth"), "--out", str(tmp_path / "face")]) == 2
    assert "fc7.weight (2622, 4096), expected (4096, 4096)" in capsys.readouterr().err
    torch.save({"state_dict": state}, tmp_path / "nested.pth")
    assert main(["import", "vggface", str(tmp_path / "nested.pth"), "--out", str(tmp_path / "face")]) == 2
    assert (
        "nested.pth holds state_dict (tensors by name are under state_dict), expected tensors by name"
        in capsys.readouterr().err
    )
    torch.save({**state, "attention.weight": torch.zeros(2)}, tmp_path / "more.pth")
    assert main(["import", "vggface", str(tmp_path / "more.pth"), "--out", str(tmp_path / "face")]) == 2
    assert "attention.weight (2,), which VGGFace does not have" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>not found</html>", "an HTML page"),
        (b"", "empty"),
        (b"PK\x03\x04cut", "cut off"),
        (b"x", "a text, 'x'"),
        (b"\x01\x02", "no readable"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(content, reason, tmp_path, capsys):
    (tmp_path / "vgg.pth").write_bytes(content)
    assert main(["import", "vggface", str(tmp_path / "vgg.pth"), "--out", str(tmp_path / "face")]) == 2
    assert f"vgg.pth is {reason}" in capsys.readouterr().err


def test_a_transformers_folder_becomes_speech_features(tmp_path, capsys):
    shape = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
    small = HubertConfig(**shape, conv_dim=[8] * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2)
    HubertModel(small).save_pretrained(tmp_path / "hubert")
    assert main(["import", "hubert", str(tmp_path / "hubert"), "--out", str(tmp_path / "features")]) == 0
    features = Network.from_pretrained(tmp_path / "features")
    assert features.fingerprint() in capsys.readouterr().out
    assert features(torch.randn(1, 6400), 10).shape == (1, 20, 16)
    assert main(["import", "wav2vec2", str(tmp_path / "nowhere"), "--out", str(tmp_path / "features")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_the_order_of_channels_is_an_option_of_vggface_only(tmp_path, capsys):
    words = ["--out", str(tmp_path / "out"), "--channel-order", "bgr"]
    assert main(["import", "hubert", str(tmp_path / "nowhere"), *words]) == 2
    assert "--channel-order has no effect on hubert, expected vggface" in capsys.readouterr().err
