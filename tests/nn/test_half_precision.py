import pytest
import torch
from safetensors.torch import load_file

from s2tf.models.motion_encoder import MotionEncoder
from s2tf.nn.half_precision import with_precision
from s2tf.nn.network import load_network


class WithBuffers(torch.nn.Module):
    """A layer beside numbers that need all their digits, and a counter."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.tied = self.layer.weight
        self.register_buffer("schedule", torch.tensor([0.9999, 1e-9, 1e6]))
        self.register_buffer("steps", torch.tensor(2**40))


def test_parameters_are_rounded_and_buffers_are_not():
    module = WithBuffers()
    stored = with_precision(module, 16)
    kinds = {name: value.dtype for name, value in stored.state_dict().items()}
    assert kinds["layer.weight"] == torch.float16
    assert kinds["schedule"] == torch.float32
    assert int(stored.steps) == 2**40
    assert stored.tied is stored.layer.weight
    assert module.layer.weight.dtype == torch.float32
    assert with_precision(module, 32) is module


@pytest.mark.parametrize("value", [70000.0, float("nan")])
def test_a_value_that_has_no_place_is_an_error_that_names_its_tensor(value):
    module = WithBuffers()
    module.layer.bias.data[0] = value
    with pytest.raises(ValueError, match=rf"WithBuffers\.layer\.bias has the value {value:g}, expected at most 65504"):
        with_precision(module, 16)


def test_values_below_the_smallest_keep_32_bits():
    module = WithBuffers()
    module.layer.bias.data = torch.tensor([1e-8, 3e-9])
    assert torch.equal(with_precision(module, 16).layer.bias, module.layer.bias)


def test_a_network_of_half_the_size_loads_with_32_bits(tmp_path):
    network = MotionEncoder(latent_dim=64, motion_dim=4, layers=2)
    network.save_pretrained(tmp_path / "half", precision=16)
    network.save_pretrained(tmp_path / "whole")
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    assert torch.float16 in {value.dtype for value in load_file(tmp_path / "half" / "weights.safetensors").values()}
    loaded = load_network(str(tmp_path / "half"))
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, network.state_dict()[name], rtol=2**-10, atol=1e-7)


def test_another_number_of_bits_is_refused():
    with pytest.raises(ValueError, match="precision is 8, expected 16 or 32"):
        with_precision(WithBuffers(), 8)
