"""Random draws for the rows of a batch: by one generator, or for each row by its own."""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Generators = torch.Generator | Sequence[torch.Generator] | None
"""One for all rows, one for each row, or torch's global one."""


def sample_rows(draw: Callable[[int, torch.Generator | None], Tensor], rows: int, generator: Generators) -> Tensor:
    """What `draw(count, generator)` gives for all rows at once, or for one after the other."""
    if generator is None or isinstance(generator, torch.Generator):
        return draw(rows, generator)
    return torch.cat([draw(1, one) for one in generator])


def repeated(generator: Generators, times: int) -> Generators:
    """The generators of a batch that is repeated as a whole."""
    return generator if generator is None or isinstance(generator, torch.Generator) else [*generator] * times


def generators_of(keys: Sequence[str], seed: int, device: torch.device) -> list[torch.Generator]:
    """One for each clip, seeded by its key: its draws do not depend on which clips it shares a batch with."""
    return [torch.Generator(device).manual_seed(zlib.crc32(f"{seed}/{key}".encode())) for key in keys]
