"""The training objective of both diffusion models: predict the noise ε (Eq. 2, 7 and 20 of the paper), or x_0.

A denoiser of x_0 is turned into one of ε by ε = (x_t - √ᾱ x_0) / √(1 − ᾱ), so that loss and samplers know ε alone.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.diffusion.prior_injection import Injection, Predict, injected
from s2tf.diffusion.row_noise import Generators, sample_rows
from s2tf.diffusion.schedule import Scheduler, noise_levels

Target = Literal["noise", "sample"]
"""A denoiser's prediction: ε, the paper's, or x_0."""


def denoising_loss(
    predict: Predict,
    x_0: Tensor,
    scheduler: Scheduler,
    *,
    noise: Tensor | None = None,
    t: Tensor | None = None,
    weight: Tensor | None = None,
    shift: Tensor | None = None,
    injection: Injection = "input",
    generator: Generators = None,
) -> Tensor:
    """The mean squared error of the predicted noise, ‖ε − ε_θ(x_t, t)‖² (Eq. 7).

    Works on any shape: portraits (B, c, h, w), motion (B, T, m).

    Args:
        predict: the denoiser, (x_t, t (B,)) to ε; conditions are bound by the caller.
        x_0: clean data of about unit variance, shape (B, ...).
        scheduler: gives √ᾱ_t and √(1 − ᾱ_t), our reading of Eq. 1's α and 1 − α.
        noise: ε, shape of x_0; sampled if None.
        t: noise levels, shape (B,), integers from 0 to T − 1; sampled uniformly if None.
        weight: factor on each row's squared error, shape (B,), or None.
        shift: the weighted prior β ⊙ z_p, broadcastable to x_0, or None.
        injection: the way the shift enters, see `s2tf.diffusion.prior_injection`.
        generator: source of randomness for all rows, or one for each; on x_0's device.

    Returns:
        A scalar, the mean over all elements.

    Example:
        >>> from s2tf.diffusion.schedule import make_scheduler
        >>> noise = torch.rand(2, 4)
        >>> denoising_loss(lambda x_t, t: noise, torch.ones(2, 4), make_scheduler(), noise=noise).item()
        0.0
    """
    if t is None:
        t = sample_levels(len(scheduler.alphas_cumprod), x_0, generator)
    if noise is None:
        noise = sample_noise(x_0, generator)
    signal_level, noise_level = noise_levels(scheduler, t, x_0)
    y_t = signal_level * x_0 + noise_level * noise
    predicted = injected(predict, shift, scheduler, injection)(y_t, t)
    if weight is None:
        return F.mse_loss(predicted, noise)
    return ((predicted - noise).square().flatten(1).mean(dim=1) * weight).mean()


def check_target(target: str) -> None:
    """Refuse the name of an unknown target.

    Raises:
        ValueError: it is neither `noise` nor `sample`.
    """
    if target not in ("noise", "sample"):
        raise ValueError(f"target is {target!r}, expected 'noise' or 'sample'")


def noise_of(predicted: Tensor, x_t: Tensor, t: Tensor, scheduler: Scheduler, target: Target) -> Tensor:
    """The noise ε that a denoiser's prediction says, in the prediction's shape.

    Args:
        predicted: ε or x_0 by the target, shape (B, ...).
        x_t: the ordinary state √ᾱ_t x_0 + √(1 − ᾱ_t) ε, in the same shape.
        t: noise levels, shape (B,).
        scheduler: gives ᾱ_t.
        target: what is predicted.
    """
    if target == "noise":
        return predicted
    signal_level, noise_level = noise_levels(scheduler, t, x_t)
    return (x_t - signal_level * predicted) / noise_level


def target_weight(x_0: Tensor, t: Tensor, scheduler: Scheduler, target: Target) -> Tensor | None:
    """The factor that turns the squared error of ε into that of the target, shape (B,), or None for 1."""
    if target == "noise":
        return None
    signal_level, noise_level = noise_levels(scheduler, t, x_0)
    return (noise_level / signal_level).square().flatten()


def sample_levels(count: int, x_0: Tensor, generator: Generators) -> Tensor:
    """Sample a noise level from 0 to `count` − 1 for each row of x_0, shape (B,).

    Example:
        >>> sample_levels(1000, torch.zeros(2, 3), torch.Generator().manual_seed(0)).shape
        torch.Size([2])
    """
    return sample_rows(
        lambda rows, one: torch.randint(count, (rows,), generator=one, device=x_0.device), len(x_0), generator
    )


def sample_noise(x_0: Tensor, generator: Generators) -> Tensor:
    """Sample the noise ε of each row of x_0, in its shape.

    Example:
        >>> sample_noise(torch.zeros(2, 4), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 4])
    """
    return sample_rows(
        lambda rows, one: torch.randn((rows, *x_0.shape[1:]), generator=one, device=x_0.device, dtype=x_0.dtype),
        len(x_0),
        generator,
    )


def sample_kept(x_0: Tensor, dropout: float, generator: Generators) -> Tensor:
    """Sample which rows of x_0 keep a condition that is hidden with probability `dropout`, (B,) bool.

    Example:
        >>> sample_kept(torch.zeros(3, 1), 0.0, None).tolist()
        [True, True, True]
    """
    shares = sample_rows(lambda rows, one: torch.rand(rows, generator=one, device=x_0.device), len(x_0), generator)
    return shares >= dropout
