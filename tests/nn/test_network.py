import json

import pytest
import torch
from small_networks import Derived, Inner, Outer, Plain

from s2tf.nn import network as network_module
from s2tf.nn.network import build_network, load_network


@pytest.fixture(autouse=True)
def _tests_count_as_the_package(monkeypatch):
    monkeypatch.setattr(network_module, "PACKAGE", "small_networks")


def test_a_nested_network_comes_back_equal(tmp_path):
    outer = Outer(Inner(3, scale=2.0), channels=(4, 5))
    outer.save_pretrained(tmp_path / "net")
    loaded = load_network(str(tmp_path / "net"))
    assert isinstance(loaded, Outer)
    assert loaded.inner.scale == 2.0
    assert list(loaded.init_args["channels"]) == [4, 5]
    assert not loaded.training
    for a, b in zip(outer.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_network_without_a_constructor_of_its_own_is_saved_too(tmp_path):
    Plain().save_pretrained(tmp_path)
    assert isinstance(load_network(tmp_path), Plain)


def test_fingerprints_tell_weights_apart_and_survive_saving(tmp_path):
    first, second = Inner(3), Inner(3)
    first.save_pretrained(tmp_path)
    assert load_network(tmp_path).fingerprint() == first.fingerprint() != second.fingerprint()


def test_a_subclass_records_its_own_arguments():
    assert Derived(2).config["init_args"] == {"depth": 2}


def test_defaults_are_recorded_so_that_a_later_default_changes_nothing(tmp_path):
    Inner(2).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["init_args"] == {"width": 2, "scale": 0.5}


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    Inner(2).save_pretrained(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Inner.from_pretrained(tmp_path)


def test_another_class_than_asked_for_is_refused(tmp_path):
    Inner(2).save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="describes a Inner, expected a Outer"):
        Outer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"class_path": "os.system", "init_args": {}},
        {"class_path": "small_networks.json"},
        {"class_path": "small_networks.Inner", "init_args": {"widht": 2}},
        {"init_args": {}},
        [],
    ],
)
def test_a_config_that_is_no_network_of_ours_is_refused(config):
    with pytest.raises(ValueError, match="some.json"):
        build_network(config, "some.json")
