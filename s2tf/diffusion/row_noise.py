"""Random numbers for the rows of a batch, by one generator for all, or by one for each row."""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Generators = torch.Generator | Sequence[torch.Generator] | None
"""A generator for all rows, a generator for each row, or None for torch's global generator."""


def sample_rows(sample: Callable[[int, torch.Generator | None], Tensor], rows: int, generator: Generators) -> Tensor:
    """Call `sample(count, generator)` for all rows together, or row by row with each row's own generator.

    Example:
        >>> sample_rows(lambda rows, generator: torch.rand(rows, 3, generator=generator), 2, None).shape
        torch.Size([2, 3])
    """
    if generator is None or isinstance(generator, torch.Generator):
        return sample(rows, generator)
    return torch.cat([sample(1, one) for one in generator])


def repeated(generator: Generators, times: int) -> Generators:
    """Return the generators of a whole batch that is repeated `times` times.

    Example:
        >>> len(repeated(generators_of(["a", "b"], 0, torch.device("cpu")), 3))
        6
    """
    return generator if generator is None or isinstance(generator, torch.Generator) else [*generator] * times


def generators_of(keys: Sequence[str], seed: int, device: torch.device) -> list[torch.Generator]:
    """Return a generator for each clip, seeded by its key, so that a clip's noise does not depend on its batch.

    Example:
        >>> one, other = (generators_of(keys, 0, torch.device("cpu"))[-1] for keys in (["b"], ["a", "b"]))
        >>> torch.equal(torch.randn(3, generator=one), torch.randn(3, generator=other))
        True
    """
    return [torch.Generator(device).manual_seed(zlib.crc32(f"{seed}/{key}".encode())) for key in keys]
