"""Options of sampling for all pipelines: seed, steps, sampler, guidance, temperature; and the check of the speech."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from s2tf.diffusion.samplers import Sampler
from s2tf.media.audio import SAMPLE_RATE

Seed = int | torch.Generator | None
"""A number or a generator that determines the noise, or None for new noise each time."""


@dataclass(frozen=True)
class Sampling:
    """Options of a diffusion's sampling; None means the value that the pipeline stores."""

    steps: int | None = None
    """Denoiser calls."""
    sampler: Sampler | None = None
    guidance: float | None = None
    """Scale of classifier-free guidance, 1 for none."""
    temperature: float | None = None
    """Factor on the initial noise."""

    def filled(self, stored: Any) -> dict[str, Any]:
        """Keyword arguments of a diffusion's `sample`: the options that are given, the others from stored settings."""
        missing = {one.name: getattr(stored, one.name) for one in fields(self) if getattr(self, one.name) is None}
        chosen = vars(replace(self, **missing))
        return {"kind" if name == "sampler" else name: value for name, value in chosen.items()}


def generator_of(seed: Seed, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator from a seed, or the generator that was given; None gives a fresh seed.

    Noise is sampled on the CPU by default and moved, so that a seed means the same on every device.
    """
    if isinstance(seed, torch.Generator):
        return seed
    generator = torch.Generator(device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def check_waveform(waveform: np.ndarray, origin: str = "the waveform") -> np.ndarray:
    """The waveform as contiguous float32.

    Args:
        waveform: (S,) at 16 kHz.
        origin: Name of its file, for messages.

    Raises:
        ValueError: It is not one-dimensional, is empty, or holds a value that is not finite.
    """
    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(f"{origin} has the shape {waveform.shape}: expected (S,) samples of one channel, at least one")
    finite = np.isfinite(waveform)
    if not finite.all():
        place = int(np.argmin(finite))
        raise ValueError(
            f"{origin} holds samples that are not finite, the first at {place / SAMPLE_RATE:.3f} s: {waveform[place]}"
        )
    return waveform
