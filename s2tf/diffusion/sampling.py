"""Sampling by a denoiser and the schedulers of diffusers: iterates Eq. 3 of the paper."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from s2tf.diffusion.prior_injection import Injection, Predict, injected
from s2tf.diffusion.schedule import Scheduler


@torch.no_grad()
def sample(
    predict: Predict,
    shape_or_noise: Sequence[int] | Tensor,
    scheduler: Scheduler,
    steps: int,
    *,
    shift: Tensor | None = None,
    injection: Injection = "input",
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Sample x_0 by walking the scheduler's noise levels down from pure noise.

    Works on any shape: portraits (B, c, h, w), motion (B, T, m). The same generator state gives the same sample.

    Args:
        predict: the denoiser, (x_t, t (B,)) to ε; conditions are bound by the caller.
        shape_or_noise: the shape (B, ...) of the sample, or the initial noise itself.
        scheduler: DDIM or DPM-Solver++ of `make_scheduler`; it is copied, so its state is not touched.
        steps: number of denoiser calls.
        shift: the weighted prior β ⊙ z_p used in training, broadcastable to the sample, or None.
        injection: the way the shift entered in training, see `s2tf.diffusion.prior_injection`.
        generator: seeds the initial noise, and the steps of stochastic schedulers.
        device: device of the sample, if a shape is given; noise given as a tensor stays on its own device.

    Returns:
        x_0 of the given shape.

    Raises:
        ValueError: `steps` is not between 1 and the number of noise levels.

    Example:
        >>> from s2tf.diffusion.schedule import make_scheduler
        >>> sample(lambda x_t, t: x_t, (1, 4), make_scheduler("ddim"), steps=3).shape
        torch.Size([1, 4])
    """
    levels = len(scheduler.alphas_cumprod)
    if not 1 <= steps <= levels:
        raise ValueError(f"steps is {steps}, expected 1 to {levels}, the schedule's noise levels")
    x_t = _initial_noise(shape_or_noise, generator, device)
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(steps, device=x_t.device)
    predict = injected(predict, shift, scheduler, injection)
    for t in scheduler.timesteps:
        epsilon = predict(x_t, t.expand(len(x_t)))
        x_t = scheduler.step(epsilon, t, x_t, generator=generator).prev_sample
    return x_t


def _initial_noise(
    shape_or_noise: Sequence[int] | Tensor, generator: torch.Generator | None, device: torch.device | str
) -> Tensor:
    if isinstance(shape_or_noise, Tensor):
        return shape_or_noise
    # Sampled on the generator's device, so that a CPU seed gives the same sample on every device.
    source = generator.device if generator is not None else torch.device(device)
    return torch.randn(tuple(shape_or_noise), generator=generator, device=source).to(device)
