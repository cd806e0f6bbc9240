"""Importers refuse another model's weights by their own word, and weights that are not finite."""

import pytest
import torch
from transformers import HubertConfig, HubertModel

from s2tf.cli import main
from s2tf.importers.pretrained import import_hubert, import_wav2vec2
from s2tf.importers.syncnet import import_syncnet
from s2tf.models.syncnet import SyncNet

SHAPE = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
SMALL = {**SHAPE, "conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}


@pytest.fixture
def hubert(tmp_path):
    HubertModel(HubertConfig(**SMALL)).save_pretrained(tmp_path / "hubert")
    return tmp_path / "hubert"


def test_another_network_of_transformers_is_refused_by_its_config(hubert):
    """Their tensors have the same names, so that only the config tells them apart."""
    assert import_hubert(str(hubert)).network.backbone.config.model_type == "hubert"
    with pytest.raises(ValueError, match=r"config\.json describes a network 'hubert', expected 'wav2vec2'"):
        import_wav2vec2(str(hubert))
    config = hubert / "config.json"
    config.write_text(config.read_text().replace('"model_type": "hubert"', '"model_type": "wav2vec2-bert"'))
    with pytest.raises(ValueError, match="describes a network 'wav2vec2-bert', expected 'wav2vec2'"):
        import_wav2vec2(str(hubert))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("model.safetensors", lambda whole: whole[: len(whole) // 2], "is cut off: "),
        ("model.safetensors", lambda whole: b"version https://git-lfs.github.com/spec/v1\n", "a pointer of git-lfs"),
        ("model.safetensors", lambda whole: b"<html>busy</html>", "an HTML page, '<html>busy</html>'"),
        ("config.json", lambda whole: whole[:20], "is cut off: its JSON ends after 20 bytes"),
        ("config.json", lambda whole: b"[1]", "holds a list, expected the config of a network"),
        ("config.json", lambda whole: whole.replace(b"16", b'"wide"'), "hubert"),
    ],
)
def test_a_folder_that_is_not_whole_is_named(name, content, reason, hubert, tmp_path, capsys):
    file = hubert / name
    file.write_bytes(content(file.read_bytes()))
    assert main(["import", "hubert", str(hubert), "--out", str(tmp_path / "out")]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert reason in told
    assert str(hubert) in told
    assert not (tmp_path / "out").exists()


def test_weights_of_transformers_that_are_not_finite_are_named(tmp_path):
    network = HubertModel(HubertConfig(**SMALL))
    with torch.no_grad():
        network.encoder.layers[0].attention.k_proj.weight[0, 0] = float("nan")
    network.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"the tensor encoder\.layers\.0\.attention\.k_proj\.weight are NaN"):
        import_hubert(str(tmp_path))


def test_a_file_of_another_model_is_told_by_its_names(tmp_path):
    state = {"quantize.embedding.weight": torch.ones(2), "ft_layers.0.norm1.weight": torch.ones(2)}
    torch.save({**state, "position_emb": torch.ones(2)}, tmp_path / "codeformer.pth")
    with pytest.raises(ValueError, match=r"codeformer\.pth holds the tensors of CodeFormer by their names and is not"):
        import_syncnet(tmp_path / "codeformer.pth")
    torch.save({"some.weight": torch.ones(2)}, tmp_path / "some.pth")
    with pytest.raises(ValueError, match=r"some\.pth holds tensors such as some\.weight and is not"):
        import_syncnet(tmp_path / "some.pth")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    state = {name: value.clone() for name, value in SyncNet().state_dict().items()}
    name = next(name for name, value in state.items() if value.is_floating_point())
    state[name].view(-1)[0] = float("inf")
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=f"the tensor {name} are NaN or infinite"):
        import_syncnet(tmp_path / "x.pth")


def test_a_config_without_a_type_is_told_by_its_class(hubert):
    config = hubert / "config.json"
    text = config.read_text().replace('"model_type": "hubert",', "").replace('"HubertModel"', '"WavLMModel"')
    config.write_text(text)
    with pytest.raises(ValueError, match="describes a network 'wavlm', expected 'hubert'"):
        import_hubert(str(hubert))
