import pytest
import torch

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.models.motion_statistics import MotionStatistics
from s2tf.models.motion_unet import MotionUNet
from s2tf.nn.network import Network


def make_diffusion(**kwargs):
    unet = MotionUNet(4, 6, [16, 24], 1, [], 24, 16, dropout=0.0)
    torch.nn.init.normal_(unet.leave[2].weight, std=0.1)
    statistics = MotionStatistics(4)
    statistics.fit([5 * torch.randn(200, 4) + torch.arange(4.0) * 10])
    return MotionDiffusion(unet, statistics, window=12, overlap=4, **kwargs).eval()


@pytest.mark.parametrize("target", ["noise", "sample"])
@pytest.mark.parametrize("frames", [1, 11, 12, 13, 123])
def test_any_length_gives_exactly_its_frames(target, frames):
    codes = make_diffusion(target=target).sample(torch.randn(2, 2 * frames, 6), steps=3)
    assert codes.shape == (2, frames, 4)
    assert torch.isfinite(codes).all()


def test_the_generator_decides_the_sample():
    diffusion, features = make_diffusion(target="sample"), torch.randn(1, 60, 6)
    draws = [diffusion.sample(features, 4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert (draws[0] - draws[2]).abs().mean() > 0.1


@pytest.mark.parametrize("kind", ["ddim", "dpm-solver++"])
@pytest.mark.parametrize("frames", [1, 12, 40])
def test_the_first_frame_is_the_start(kind, frames):
    start = 5 * torch.randn(2, 4) + torch.arange(4.0) * 10
    diffusion = make_diffusion(target="sample")
    codes = diffusion.sample(torch.randn(2, 2 * frames, 6), 6, kind, start=start, guidance=1.5)
    torch.testing.assert_close(codes[:, 0], start, rtol=1e-3, atol=1e-2)


def test_both_targets_measure_the_error_of_what_they_predict():
    """A denoiser that always predicts zero: error 1 in noise, and in codes of unit variance 1 as well."""
    codes, features = 5 * torch.randn(400, 9, 4) + torch.arange(4.0) * 10, torch.randn(400, 18, 6)
    for target in ("noise", "sample"):
        diffusion = make_diffusion(target=target)
        diffusion.statistics.fit([codes])
        torch.nn.init.zeros_(diffusion.unet.leave[2].weight)
        assert diffusion.loss(codes, features).item() == pytest.approx(1.0, abs=0.05)


def test_a_saved_diffusion_samples_the_same(tmp_path):
    diffusion, features = make_diffusion(target="sample"), torch.randn(1, 30, 6)
    diffusion.save_pretrained(tmp_path)
    again = Network.from_pretrained(tmp_path)
    draws = [part.sample(features, 4, generator=torch.Generator().manual_seed(3)) for part in (diffusion, again)]
    assert torch.equal(*draws)


def test_guidance_pushes_away_from_the_unconditional():
    diffusion, features = make_diffusion(target="sample"), torch.randn(1, 24, 6)
    plain, guided, hidden = (
        diffusion.sample(source, 1, generator=torch.Generator().manual_seed(3), guidance=scale)
        for source, scale in ((features, 1.0), (features, 2.0), (torch.zeros_like(features), 1.0))
    )
    torch.testing.assert_close(guided - hidden, 2 * (plain - hidden), rtol=1e-3, atol=1e-2)


def test_parts_that_do_not_fit_are_refused():
    unet = MotionUNet(4, 6, [16], 1, [], 16, 16)
    with pytest.raises(ValueError, match=r"statistics\.motion_dim is 5, expected the denoiser's 4"):
        MotionDiffusion(unet, MotionStatistics(5))
    with pytest.raises(ValueError, match="target is 'x_0'"):
        MotionDiffusion(unet, MotionStatistics(4), target="x_0")
