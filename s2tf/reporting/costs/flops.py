"""Floating-point operations of a computation, counted by torch while it runs."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_flops(compute: Callable[[], Any]) -> int:
    """Count the FLOPs of products, convolutions and attention in `compute()`; two for each multiplication and addition.

    Runs without gradients, on any device, also on `meta`. Attention layers take their plain path meanwhile, since torch
    does not count the fused one.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            compute()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops())
