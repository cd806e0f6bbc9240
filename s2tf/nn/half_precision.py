"""Weights of 16 bits, which a network is stored with to halve its file; networks always compute with 32 bits."""

import copy
from typing import Literal, TypeVar

import torch
import torch.nn as nn

Precision = Literal[16, 32]
"""Bits of each stored parameter."""
PRECISIONS: tuple[Precision, ...] = (16, 32)
LOSS = 2.0**-10
"""Greatest change of a value, as a share of its tensor's largest, with which a tensor is stored with 16 bits."""
Module = TypeVar("Module", bound=nn.Module)


def with_precision(module: Module, precision: Precision) -> Module:
    """Return the module itself for 32 bits, or a copy whose parameters have 16 bits, to be stored.

    Buffers keep their type: counters, statistics and schedules are few, and 1 - 0.9999 has no digit left at 16 bits.
    So do parameters that are too small for 16 bits, see `LOSS`.

    Raises:
        ValueError: The precision is none of these, or a value is too large for 16 bits; the message names its tensor.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, expected {' or '.join(map(str, PRECISIONS))}")
    if precision == 32:
        return module
    halved = copy.deepcopy(module)
    for name, parameter in halved.named_parameters():
        if parameter.is_floating_point():
            parameter.data = _rounded(parameter.data, f"{type(module).__name__}.{name}")
    return halved


def _rounded(values: torch.Tensor, name: str) -> torch.Tensor:
    """Round to 16 bits where that loses next to nothing."""
    half = values.half()
    largest = values.abs().max() if values.numel() else values.new_zeros(())
    if not bool(half.isfinite().all()):
        limit = torch.finfo(torch.float16).max
        raise ValueError(f"{name} has the value {float(largest):g}, expected at most {limit:g} to store 16 bits of it")
    lost = bool(((half.to(values.dtype) - values).abs() > LOSS * largest).any())
    return values if lost else half
