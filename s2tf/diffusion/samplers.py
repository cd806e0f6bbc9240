"""The names of the samplers, apart from their code, so that a command can list them without loading torch."""

from typing import Literal, get_args

Sampler = Literal["ddim", "dpm-solver++"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
