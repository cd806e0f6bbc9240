import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from s2tf.diffusion.objective import denoising_loss
from s2tf.diffusion.prior_injection import injected
from s2tf.diffusion.sampling import sample
from s2tf.diffusion.schedule import make_scheduler, noise_levels

MEAN = torch.tensor([1.0, -0.5], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.3], [0.3, 0.5]], dtype=torch.float64)
SHIFT = torch.tensor([0.7, -2.0], dtype=torch.float64)


def exact_denoiser(scheduler, shift, injection):
    """E[ε | z_t*] of Gaussian data, for a denoiser that sees the state with the prior in it.

    It undoes the shift by the definition of each reading, z_t* = √ᾱ z_0 + √(1 − ᾱ) ε + c_t shift.
    """

    def predict(z_t, t):
        alpha_bar = scheduler.alphas_cumprod[t[0]].double()
        c_t = {"input": 1.0, "noise": (1 - alpha_bar).sqrt()}[injection]
        marginal = alpha_bar * COVARIANCE + (1 - alpha_bar) * torch.eye(2, dtype=torch.float64)
        centred = z_t - alpha_bar.sqrt() * MEAN - c_t * shift
        return (1 - alpha_bar).sqrt() * torch.linalg.solve(marginal, centred.T).T

    return predict


@pytest.mark.parametrize("injection", ["input", "noise"])
@pytest.mark.parametrize("kind", ["ddim", "dpm-solver++"])
def test_sampler_recovers_mean_and_covariance_of_a_known_gaussian(kind, injection):
    scheduler = make_scheduler(kind, "linear")
    predict = exact_denoiser(scheduler, SHIFT, injection)
    noise = torch.randn(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # Whitened, so that the only errors left are the sampler's.
    noise = (noise - noise.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(noise.T))).T
    x_0 = sample(predict, noise, scheduler, 500, shift=SHIFT, injection=injection)
    torch.testing.assert_close(x_0.mean(0), MEAN, rtol=0, atol=0.02)
    torch.testing.assert_close(torch.cov(x_0.T), COVARIANCE, rtol=0, atol=0.02)


def test_the_shift_matters_to_the_denoiser():
    scheduler = make_scheduler("ddim", "linear")
    predict = exact_denoiser(scheduler, SHIFT, "noise")
    noise = torch.randn(2000, 2, dtype=torch.float64)
    x_0 = sample(predict, noise, scheduler, 100, shift=None)
    assert (x_0.mean(0) - MEAN).abs().max() > 0.3


@pytest.mark.parametrize("injection", ["input", "noise"])
def test_exact_denoiser_has_a_lower_loss_than_one_that_ignores_the_shift(injection):
    scheduler = make_scheduler("ddpm", "linear")
    x_0 = MEAN + torch.randn(4000, 2, dtype=torch.float64) @ torch.linalg.cholesky(COVARIANCE).T

    def loss(shift_known):
        total = 0.0
        for level in (10, 300, 900):
            t = torch.full((len(x_0),), level)
            predict = exact_denoiser(scheduler, shift_known, injection)
            total += denoising_loss(predict, x_0, scheduler, t=t, shift=SHIFT, injection=injection).item()
        return total

    assert loss(SHIFT) < loss(torch.zeros(2, dtype=torch.float64)) - 0.1


def test_readings_coincide_without_a_prior_and_at_the_last_level():
    scheduler = make_scheduler("ddpm", "linear")
    y_t = torch.randn(3, 4, 5)
    last, shift = torch.tensor([999, 999, 999]), torch.randn(4, 5)

    def both(shift, t):
        return [injected(lambda z, _: z, shift, scheduler, reading)(y_t, t) for reading in ("input", "noise")]

    by_input, by_noise = both(shift, last)
    torch.testing.assert_close(by_input, by_noise, rtol=0, atol=1e-4)
    by_input, by_noise = both(shift, torch.tensor([0, 100, 500]))
    assert (by_input - by_noise).abs().amax(dim=(1, 2)).min() > 0.01
    by_input, by_noise = both(None, torch.tensor([0, 100, 500]))
    assert torch.equal(by_input, by_noise)


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 5, 20)])
def test_noising_is_that_of_diffusers(shape):
    scheduler = make_scheduler("ddpm", "scaled_linear")
    x_0, noise, t = torch.randn(shape), torch.randn(shape), torch.randint(1000, (6,))
    seen = []

    def predict(x_t, level):
        seen.append((x_t, level))
        return torch.zeros_like(x_t)

    loss = denoising_loss(predict, x_0, scheduler, noise=noise, t=t)
    torch.testing.assert_close(seen[0][0], scheduler.add_noise(x_0, noise, t))
    assert torch.equal(seen[0][1], t)
    torch.testing.assert_close(loss, noise.pow(2).mean())


def test_noise_reading_is_noise_centred_on_the_prior():
    scheduler = make_scheduler("ddpm", "scaled_linear")
    x_0, noise, shift, t = torch.randn(6, 8), torch.randn(6, 8), torch.randn(6, 8), torch.randint(1000, (6,))
    seen = []

    def predict(x_t, level):
        seen.append(x_t)
        return x_t

    denoising_loss(predict, x_0, scheduler, noise=noise, t=t, shift=shift, injection="noise")
    torch.testing.assert_close(seen[0], scheduler.add_noise(x_0, noise + shift, t))


def test_noise_levels_are_of_unit_power():
    signal, noise = noise_levels(make_scheduler("ddpm"), torch.arange(1000), torch.zeros(1000, 2, dtype=torch.float64))
    torch.testing.assert_close(signal**2 + noise**2, torch.ones(1000, 1, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["ddim", "dpm-solver++"])
def test_sampling_is_reproducible_by_generator_and_leaves_the_scheduler_alone(kind):
    scheduler = make_scheduler(kind)
    before = scheduler.timesteps.clone()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample(lambda x, t: 0.1 * x, (2, 3, 7), scheduler, 5, generator=generator)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(scheduler.timesteps, before)


@pytest.mark.parametrize("scheduler_class", [DDIMScheduler, DPMSolverMultistepScheduler])
def test_without_a_prior_sampling_is_the_loop_of_diffusers(scheduler_class):
    kind = "ddim" if scheduler_class is DDIMScheduler else "dpm-solver++"
    noise = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    theirs = scheduler_class(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing"
    )
    if scheduler_class is DDIMScheduler:
        theirs.register_to_config(clip_sample=False)
    else:
        theirs.register_to_config(final_sigmas_type="zero")
    theirs.set_timesteps(7)
    x_t = noise
    for t in theirs.timesteps:
        x_t = theirs.step(torch.tanh(x_t) + 1e-3 * t, t, x_t).prev_sample
    ours = sample(lambda x, t: torch.tanh(x) + 1e-3 * t[:, None, None], noise, make_scheduler(kind), 7)
    torch.testing.assert_close(ours, x_t)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="steps is 0, expected 1 to 1000"):
        sample(lambda x, t: x, (1, 2), make_scheduler("ddim"), 0)
    with pytest.raises(ValueError, match="kind is 'euler'"):
        make_scheduler("euler")
    with pytest.raises(ValueError, match="injection is 'output'"):
        injected(lambda x, t: x, None, make_scheduler("ddpm"), "output")
