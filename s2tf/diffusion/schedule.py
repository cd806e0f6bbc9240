"""The noise schedules, as diffusers schedulers: one for training, and two samplers with the same schedule.

Eq. 1 of the paper writes z_t = α z_0 + (1 − α) ε, which does not keep the variance. The paper builds on Stable
Diffusion, which uses z_t = √ᾱ_t z_0 + √(1 − ᾱ_t) ε. Throughout this package the α of Eq. 1 is √ᾱ_t, and its 1 − α is
√(1 − ᾱ_t) of the diffusers scheduler.
"""

from typing import Any, Literal, Protocol, cast

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from s2tf.diffusion.samplers import SAMPLERS, Sampler

SchedulerKind = Literal["ddpm"] | Sampler
"""The scheduler of training, or a sampler."""
BetaSchedule = Literal["scaled_linear", "linear"]


class Scheduler(Protocol):
    """The methods of a diffusers scheduler that this package uses; their common base class does not declare them."""

    alphas_cumprod: Tensor
    timesteps: Tensor

    def set_timesteps(self, steps: int, device: torch.device) -> None:
        """Choose the noise levels to sample at."""

    def step(self, epsilon: Tensor, t: Tensor, x_t: Tensor, generator: torch.Generator | None) -> Any:
        """Go down one noise level; the result has `prev_sample`."""


BETA_RANGES: dict[str, tuple[float, float]] = {"scaled_linear": (0.00085, 0.012), "linear": (1e-4, 0.02)}
"""First and last β: Stable Diffusion's for portraits (`scaled_linear`), DDPM's for motion (`linear`)."""


def make_scheduler(
    kind: SchedulerKind = "ddpm", betas: BetaSchedule = "scaled_linear", train_steps: int = 1000
) -> Scheduler:
    """Build a scheduler for ε-prediction without clipping.

    Args:
        kind: `ddpm` for training, `ddim` or `dpm-solver++` (second order, multistep) for sampling.
        betas: `scaled_linear` (Stable Diffusion, portraits) or `linear` (DDPM, motion).
        train_steps: the number T of noise levels; t runs from 0 to T − 1.

    Raises:
        ValueError: `kind` or `betas` is unknown.

    Example:
        >>> len(make_scheduler("ddim", train_steps=500).alphas_cumprod)
        500
    """
    if betas not in BETA_RANGES:
        raise ValueError(f"betas is {betas!r}, expected one of {sorted(BETA_RANGES)}")
    first, last = BETA_RANGES[betas]
    shared: dict[str, Any] = {
        "num_train_timesteps": train_steps,
        "beta_start": first,
        "beta_end": last,
        "beta_schedule": betas,
        "prediction_type": "epsilon",
    }
    if kind == "ddpm":
        return cast(Scheduler, DDPMScheduler(**shared, clip_sample=False))
    # "trailing" starts at t = T - 1, where the state is almost pure noise; "leading" would start lower.
    shared["timestep_spacing"] = "trailing"
    if kind == "ddim":
        return cast(Scheduler, DDIMScheduler(**shared, clip_sample=False, set_alpha_to_one=True))
    if kind == "dpm-solver++":
        return cast(Scheduler, DPMSolverMultistepScheduler(**shared, final_sigmas_type="zero"))
    raise ValueError(f"kind is {kind!r}, expected ddpm, {' or '.join(SAMPLERS)}")


def noise_levels(scheduler: Scheduler, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The pair √ᾱ_t, √(1 − ᾱ_t) of noise levels t.

    Args:
        scheduler: any scheduler of `make_scheduler`.
        t: integer levels, shape (B,) or a scalar.
        like: shape (B, ...); the results have its type and device, and broadcast against it.

    Returns:
        Two tensors of shape (B, 1, ...), or (1, ...) where t is a scalar.

    Example:
        >>> signal, noise = noise_levels(make_scheduler(), torch.tensor([500]), torch.zeros(1, 3))
        >>> round((signal**2 + noise**2).item(), 4)
        1.0
    """
    alpha_bar = scheduler.alphas_cumprod.to(like.device)[t.to(like.device).reshape(-1).long()].double()
    shape = (-1,) + (1,) * (like.ndim - 1)
    return torch.sqrt(alpha_bar).reshape(shape).to(like.dtype), torch.sqrt(1 - alpha_bar).reshape(shape).to(like.dtype)
