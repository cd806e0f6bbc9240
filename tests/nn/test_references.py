"""Blur, warping, occlusion and attention against their definitions, written plainly in float64."""

import pytest
import torch

from s2tf.models.flow_generator import FlowGenerator
from s2tf.models.motion_unet import Attention
from s2tf.nn.blur import Blur, FirUpsample, fir_kernel
from s2tf.nn.vq_blocks import PositionAttention
from s2tf.nn.warping import Warp

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8


def padded(x, before, after):
    batch, channels, height, width = x.shape
    larger = x.new_zeros(batch, channels, height + before + after, width + before + after)
    larger[:, :, before : before + height, before : before + width] = x
    return larger


def filtered(x):
    """Each pixel the weighted sum of the 4 x 4 pixels from it on."""
    height, width = x.shape[2] - 3, x.shape[3] - 3
    y = x.new_zeros(*x.shape[:2], height, width)
    for i in range(4):
        for j in range(4):
            y += TAPS[i] * TAPS[j] * x[:, :, i : i + height, j : j + width]
    return y


def bilinear(features, positions):
    """(C, S, S) at positions (S, S, 2) in picture units; outside counts as the border."""
    side = features.shape[-1]
    sampled = torch.zeros_like(features)
    for row in range(side):
        for column in range(side):
            x, y = (((positions[row, column] + 1) * side - 1) / 2).clamp(0, side - 1).tolist()
            left, top = int(x), int(y)
            right, bottom = min(left + 1, side - 1), min(top + 1, side - 1)
            across, down = x - left, y - top
            above = (1 - across) * features[:, top, left] + across * features[:, top, right]
            below = (1 - across) * features[:, bottom, left] + across * features[:, bottom, right]
            sampled[:, row, column] = (1 - down) * above + down * below
    return sampled


def attended(query, key, value):
    """Softmax attention (N, D) by its definition."""
    weights = torch.exp(query @ key.T / query.shape[-1] ** 0.5)
    return (weights / weights.sum(1, keepdim=True)) @ value


@pytest.mark.parametrize(
    ("blur", "pad", "gain", "stride"),
    [
        (Blur.before_stride(3), (2, 2), 1, 1),
        (Blur.before_stride(1), (1, 1), 1, 1),
        (Blur.after_transpose(), (1, 1), 4, 1),
        (Blur.halving(), (1, 1), 1, 2),
        (Blur((2, 1)), (2, 1), 1, 1),
    ],
)
def test_blur(blur, pad, gain, stride):
    blur.kernel = fir_kernel(gain).double()
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    expected = gain * filtered(padded(x, *pad))[:, :, ::stride, ::stride]
    torch.testing.assert_close(blur(x), expected, rtol=1e-12, atol=1e-12)


def test_upsampling_is_the_filter_between_zeros():
    layer = FirUpsample()
    layer.kernel = fir_kernel(4.0).double()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    spread = x.new_zeros(2, 3, 10, 10)
    spread[:, :, ::2, ::2] = x
    torch.testing.assert_close(layer(x), 4 * filtered(padded(spread, 2, 1)), rtol=1e-12, atol=1e-12)


def test_warping_by_any_flow():
    torch.manual_seed(0)
    warp = Warp(8)
    features, flow = torch.randn(2, 3, 8, 8), 0.6 * torch.randn(2, 2, 8, 8)
    centres = (2 * torch.arange(8, dtype=torch.float64) + 1) / 8 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    for index in range(2):
        positions = torch.stack([x, y], -1) + flow[index].double().permute(1, 2, 0)
        expected = bilinear(features[index].double(), positions)
        torch.testing.assert_close(warp(features, flow)[index].double(), expected, rtol=1e-4, atol=1e-5)


def test_flow_and_occlusion_at_every_scale():
    """z_w = o * tau(z, flow), of what the generator says that it has used."""
    torch.manual_seed(0)
    generator = FlowGenerator(16, 16, 4, channel_base=128, channel_max=16)
    for layer in generator.to_flows:
        torch.nn.init.normal_(layer.conv.weight, std=0.3)
    pyramid = tuple(torch.randn(2, width, side, side) for width, side in ((16, 8), (8, 16)))
    warped = generator(torch.randn(2, 16), torch.randn(2, 4), pyramid)
    assert all(occlusion.std() > 0.005 for occlusion in warped.occlusions)
    for z_w, features, flow, occlusion in zip(warped.pyramid, pyramid, warped.flows, warped.occlusions, strict=True):
        side = features.shape[-1]
        centres = (2 * torch.arange(side, dtype=torch.float64) + 1) / side - 1
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        for index in range(2):
            positions = torch.stack([x, y], -1) + flow[index].detach().double().permute(1, 2, 0)
            expected = occlusion[index].double() * bilinear(features[index].double(), positions)
            torch.testing.assert_close(z_w[index].double(), expected, rtol=1e-4, atol=1e-5)


def test_attention_over_positions():
    layer = PositionAttention(8).double()
    x = torch.randn(2, 8, 3, 3, dtype=torch.float64)
    normed = layer.norm(x)
    for index in range(2):
        rows = normed[index].flatten(1).T
        query, key, value = (rows @ one.weight[:, :, 0, 0].T + one.bias for one in (layer.q, layer.k, layer.v))
        out = attended(query, key, value) @ layer.out.weight[:, :, 0, 0].T + layer.out.bias
        torch.testing.assert_close(layer(x)[index], x[index] + out.T.reshape(8, 3, 3), rtol=1e-10, atol=1e-10)


def test_attention_over_time_in_heads():
    layer = Attention(16, head_dim=8).double()
    torch.nn.init.normal_(layer.leave.weight)
    x = torch.randn(2, 16, 7, dtype=torch.float64)
    normed = layer.norm(x)
    for index in range(2):
        rows = normed[index].T @ layer.to_qkv.weight[:, :, 0].T + layer.to_qkv.bias
        heads = []
        for head in range(2):
            query, key, value = (rows[:, 16 * part + 8 * head : 16 * part + 8 * head + 8] for part in range(3))
            heads.append(attended(query, key, value))
        out = torch.cat(heads, 1) @ layer.leave.weight[:, :, 0].T + layer.leave.bias
        torch.testing.assert_close(layer(x)[index], x[index] + out.T, rtol=1e-10, atol=1e-10)
