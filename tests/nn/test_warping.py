import pytest
import torch

from s2tf.nn.warping import Warp, identity_grid


@pytest.mark.parametrize("side", [8, 64, 256])
def test_zero_flow_is_the_identity(side):
    features = torch.randn(2, 3, side, side)
    warped = Warp(side)(features, torch.zeros(2, 2, side, side))
    assert (warped - features).abs().max() <= 1e-6


def test_a_flow_of_one_pixel_samples_the_neighbour():
    features = torch.randn(1, 2, 16, 16)
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0] = 2 / 16
    warped = Warp(16)(features, flow)
    torch.testing.assert_close(warped[..., :-1], features[..., 1:], atol=1e-5, rtol=0)
    torch.testing.assert_close(warped[..., -1], features[..., -1], atol=1e-5, rtol=0)


def test_lia_convention_shrinks_by_half_a_pixel():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    warped = Warp(16, "lia")(ramp, torch.zeros(1, 2, 16, 16))
    positions = (torch.linspace(-1, 1, 16) + 1) * 8 - 0.5
    torch.testing.assert_close(warped[0, 0, 8, 1:-1], positions[1:-1])


def test_warp_keeps_half_precision_features_and_exact_positions():
    features = torch.randn(1, 2, 64, 64).bfloat16()
    warped = Warp(64)(features, torch.zeros(1, 2, 64, 64).bfloat16())
    assert warped.dtype == torch.bfloat16
    assert torch.equal(warped, features)


def test_unknown_convention_is_named():
    with pytest.raises(ValueError, match="'other'"):
        identity_grid(8, "other")
