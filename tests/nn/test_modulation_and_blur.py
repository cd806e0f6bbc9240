import pytest
import torch
import torch.nn.functional as F

from s2tf.nn.blur import Blur, FirUpsample
from s2tf.nn.equalised import EqualisedConv2d, EqualisedLinear
from s2tf.nn.modulation import ModulatedConv2d


def plain_modulated_convolution(layer, x, style, demodulate, up):
    """StyleGAN2's definition, sample by sample on the weight itself."""
    outputs = []
    s = style @ (layer.modulation.weight * layer.modulation.scale).T + layer.modulation.bias
    for image, scales in zip(x, s, strict=True):
        weight = layer.weight * layer.scale * scales[None, :, None, None]
        if demodulate:
            weight = weight / torch.sqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if up:
            y = F.conv_transpose2d(image[None], weight.transpose(0, 1), stride=2)
            taps = torch.tensor([1, 3, 3, 1], dtype=x.dtype)
            kernel = torch.outer(taps, taps) / 64 * 4
            y = F.pad(y, (1, 1, 1, 1))
            y = torch.stack([F.conv2d(y[:, c : c + 1], kernel[None, None])[:, 0] for c in range(y.shape[1])], dim=1)
        else:
            y = F.conv2d(image[None], weight, padding=weight.shape[-1] // 2)
        outputs.append(y[0])
    return torch.stack(outputs)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("kernel", "up"), [(3, False), (3, True), (1, False)])
def test_modulated_convolution_equals_the_plain_definition_in_float64(kernel, up, demodulate):
    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 7, kernel, 6, demodulate=demodulate, up=up).double()
    if layer.blur is not None:
        layer.blur.kernel = Blur.after_transpose().kernel.double()
    x, style = torch.randn(3, 5, 8, 8).double(), torch.randn(3, 6).double()
    expected = plain_modulated_convolution(layer, x, style, demodulate, up)
    assert layer(x, style).shape[-1] == (16 if up else 8)
    torch.testing.assert_close(layer(x, style), expected, rtol=1e-10, atol=1e-10)


def test_demodulation_keeps_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    layer = ModulatedConv2d(64, 64, 3, 16)
    y = layer(torch.randn(4, 64, 32, 32), 30 * torch.randn(4, 16))
    assert y.std().item() == pytest.approx(1, abs=0.1)


def test_equalised_layers_start_with_unit_gain():
    torch.manual_seed(0)
    assert EqualisedLinear(400, 300)(torch.randn(50, 400)).std().item() == pytest.approx(1, abs=0.05)
    assert EqualisedConv2d(64, 64, 3)(torch.randn(2, 64, 32, 32)).std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("blur", "side"), [(Blur.before_stride(3), 17), (Blur.before_stride(1), 15)])
def test_blur_before_a_stride_keeps_constants_inside_and_halves_sides(blur, side):
    y = blur(torch.full((1, 2, 16, 16), 3.0))
    assert y.shape[-1] == side
    torch.testing.assert_close(y[..., 3:-3, 3:-3], torch.full((1, 2, side - 6, side - 6), 3.0))


def test_fir_upsampling_doubles_constants_and_ramps():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    y = FirUpsample()(ramp)
    assert y.shape == (1, 1, 32, 32)
    expected = (torch.arange(32.0) - 0.5) / 2
    torch.testing.assert_close(y[0, 0, 16, 3:-3], expected[3:-3])
