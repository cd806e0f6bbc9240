import pytest
import torch

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.models.face_prior import FacePrior
from s2tf.models.portrait_unet import PortraitUNet
from s2tf.models.prior_weighting import NoPrior, SampleAdaptiveWeighting, SampleEquivalentWeighting
from s2tf.nn.network import Network

D = 64


def make_diffusion(weighting=None, injection="input", seed=0):
    torch.manual_seed(seed)
    unet = PortraitUNet((4, 4, 4), D, (8, 16), layers_per_block=1, heads=2, tokens=4, context_dim=8, norm_groups=4)
    prior = FacePrior(D, n=2)
    prior.z_p.normal_(3.0)
    prior.scale.fill_(2.5)
    return PortraitDiffusion(unet, weighting or SampleAdaptiveWeighting(D), prior, injection, train_steps=100)


def test_gradient_reaches_every_parameter_but_the_prior():
    diffusion = make_diffusion()
    diffusion.loss(torch.randn(4, D), torch.randn(4, D), draws=2).backward()
    assert [name for name, p in diffusion.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert not diffusion.prior.z_p.requires_grad


@pytest.mark.parametrize("injection", ["input", "noise"])
def test_the_denoiser_sees_the_scaled_latent_and_the_scaled_prior(injection):
    diffusion = make_diffusion(SampleEquivalentWeighting(0.5), injection)
    seen = []
    diffusion.unet.register_forward_hook(lambda module, inputs, output: seen.append(inputs))
    z_f = torch.randn(3, D)
    diffusion.loss(z_f, torch.randn(3, D), generator=torch.Generator().manual_seed(1))
    z_t, t, _ = seen[0]
    generator = torch.Generator().manual_seed(1)
    level = torch.randint(100, (3,), generator=generator)
    noise = torch.randn(3, 4, 4, 4, generator=generator)
    shift = (0.5 * diffusion.prior.z_p / 2.5).reshape(4, 4, 4)
    y_t = diffusion.scheduler.add_noise((z_f / 2.5).reshape(3, 4, 4, 4), noise, level)
    if injection == "input":
        expected = y_t + shift
    else:
        expected = y_t + (1 - diffusion.scheduler.alphas_cumprod[level]).sqrt()[:, None, None, None] * shift
    assert torch.equal(t, level)
    torch.testing.assert_close(z_t, expected)


def test_no_prior_is_a_weight_of_zero_in_either_reading():
    z_s = torch.randn(2, D)
    draws = [
        make_diffusion(weighting, injection).eval().sample(z_s, 3, generator=torch.Generator().manual_seed(0))
        for weighting in (NoPrior(), SampleEquivalentWeighting(0.0))
        for injection in ("input", "noise")
    ]
    for draw in draws[1:]:
        assert torch.equal(draw, draws[0])


@pytest.mark.parametrize("kind", ["ddim", "dpm-solver++"])
def test_sample_is_reproducible_and_in_the_encoders_units(kind):
    diffusion, z_s = make_diffusion().eval(), torch.randn(2, D)

    def draw(seed):
        return diffusion.sample(z_s, 4, kind, torch.Generator().manual_seed(seed))

    assert draw(0).shape == (2, D)
    assert torch.equal(draw(0), draw(0))
    assert not torch.allclose(draw(0), draw(1))
    once = draw(0)
    # The weighted prior is divided by the scale too: undone here, so that only the unit of the result changes.
    diffusion.prior.z_p.mul_(2)
    diffusion.prior.scale.mul_(2)
    torch.testing.assert_close(draw(0), 2 * once)


def test_guidance_of_one_is_none_and_of_zero_ignores_the_speech():
    diffusion = make_diffusion().eval()

    def draw(z_s, guidance):
        return diffusion.sample(z_s, 3, generator=torch.Generator().manual_seed(0), guidance=guidance)

    one, other = torch.randn(1, D), torch.randn(1, D)
    torch.testing.assert_close(draw(one, 1.0), draw(one, 1.0 + 1e-7), rtol=1e-4, atol=1e-5)
    assert torch.equal(draw(one, 0.0), draw(other, 0.0))
    assert not torch.allclose(draw(one, 3.0), draw(other, 3.0))


def test_saved_diffusion_samples_the_same(tmp_path):
    diffusion = make_diffusion(injection="noise").eval()
    diffusion.save_pretrained(tmp_path)
    loaded = Network.from_pretrained(tmp_path)
    z_s = torch.randn(2, D)
    draws = [network.sample(z_s, 3, generator=torch.Generator().manual_seed(0)) for network in (diffusion, loaded)]
    assert loaded.injection == "noise"
    assert torch.equal(*draws)


def test_a_prior_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"the prior has 32 dimensions, expected those of the denoiser's \(4, 4, 4\)"):
        PortraitDiffusion(make_diffusion().unet, NoPrior(), FacePrior(32))


class Knower(Network):
    """A denoiser that knows the latent, in whatever state it is asked."""

    latent_shape = (4, 4, 4)

    def __init__(self):
        super().__init__()
        self.answer = torch.zeros(1, *self.latent_shape)

    def forward(self, z_t, t, z_s):
        return self.answer.expand_as(z_t)


@pytest.mark.parametrize("injection", ["input", "noise"])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_denoiser_of_the_latent_is_trained_on_it_and_gives_it_back(injection, guidance):
    prior = FacePrior(D, n=2)
    prior.z_p.normal_(3.0)
    prior.scale.fill_(2.5)
    weighting = SampleEquivalentWeighting(0.5)
    diffusion = PortraitDiffusion(Knower(), weighting, prior, injection, train_steps=100, target="sample")
    z_f = torch.randn(1, D)
    diffusion.unet.answer = z_f.reshape(1, 4, 4, 4) / 2.5
    assert diffusion.loss(z_f, torch.randn(1, D)).item() == pytest.approx(0, abs=1e-9)
    # The loss is the squared error of the latent in the diffusion's units, at every noise level.
    diffusion.unet.answer = diffusion.unet.answer + 0.1
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        assert diffusion.loss(z_f, torch.randn(1, D), generator=generator).item() == pytest.approx(0.01, rel=1e-3)
    found = diffusion.sample(torch.randn(1, D), steps=4, guidance=guidance)
    torch.testing.assert_close(found, z_f + 0.25, atol=1e-4, rtol=1e-4)


def test_wrong_targets_are_named():
    with pytest.raises(ValueError, match="target is 'latent', expected 'noise' or 'sample'"):
        PortraitDiffusion(Knower(), SampleEquivalentWeighting(0.5), FacePrior(D, n=2), target="latent")
