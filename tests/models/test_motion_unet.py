import pytest
import torch

from s2tf.models.motion_unet import MotionUNet, timestep_embedding

SMALL = {
    "motion_dim": 6,
    "feature_dim": 8,
    "channels": [16, 24, 32],
    "blocks_per_level": 1,
    "attention_levels": [2],
    "head_dim": 16,
    "condition_dim": 24,
    "dropout": 0.0,
}


def trained_unet():
    """Its zero-initialised convolutions randomised, so that everything has an effect."""
    unet = MotionUNet(**SMALL).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return unet


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7, 8, 31])
def test_any_number_of_frames(frames):
    out = trained_unet()(torch.randn(2, frames, 6), torch.tensor([0, 999]), torch.randn(2, 2 * frames, 8))
    assert out.shape == (2, frames, 6)
    assert torch.isfinite(out).all()


def test_untrained_predicts_zero():
    out = MotionUNet(**SMALL)(torch.randn(2, 5, 6), torch.tensor([3, 4]), torch.randn(2, 10, 8))
    assert not out.any()


def test_every_parameter_learns():
    unet = trained_unet().train()
    out = unet(torch.randn(2, 9, 6), torch.tensor([3, 500]), torch.randn(2, 18, 8), torch.randn(2, 6))
    out.square().sum().backward()
    assert [name for name, parameter in unet.named_parameters() if not parameter.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("changed", ["t", "features", "start"])
def test_every_condition_matters(changed):
    unet, x_t = trained_unet(), torch.randn(1, 9, 6)
    inputs = {"t": torch.tensor([10]), "features": torch.randn(1, 18, 8), "start": torch.randn(1, 6)}
    other = inputs | {changed: inputs[changed] + 1}
    assert (unet(x_t, **inputs) - unet(x_t, **other)).abs().max() > 1e-4


def test_rows_without_a_start_do_not_see_it():
    unet, x_t, features = trained_unet(), torch.randn(2, 9, 6), torch.randn(2, 18, 8)
    t, start = torch.tensor([10, 20]), torch.randn(2, 6)
    mixed = unet(x_t, t, features, start, torch.tensor([True, False]))
    torch.testing.assert_close(mixed[:1], unet(x_t, t, features, start)[:1])
    torch.testing.assert_close(mixed[1:], unet(x_t, t, features)[1:])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="head_dim is 64"):
        MotionUNet(channels=[32, 48], attention_levels=[])
    with pytest.raises(ValueError, match="attention_levels names 3"):
        MotionUNet(channels=[64, 128, 192], attention_levels=[3])
    with pytest.raises(ValueError, match=r"expected \(B, T, 6\) and \(B, 2 T, 8\)"):
        MotionUNet(**SMALL)(torch.randn(1, 5, 6), torch.tensor([1]), torch.randn(1, 8, 8))


def test_noise_levels_have_distinct_embeddings():
    embedding = timestep_embedding(torch.arange(1000), 32)
    distances = torch.cdist(embedding, embedding) + 10 * torch.eye(1000)
    assert distances.min() > 0.01
