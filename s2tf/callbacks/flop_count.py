"""Floating-point operations of a training step, counted while it runs and without a trace in what it computes."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class FlopCount(TorchDispatchMode):
    """Sums torch's own formulas over the products, convolutions and attention within a `with` block.

    torch's `FlopCounterMode` gives the same sum, but follows the modules by hooks besides, which change the order of
    some additions in the backward pass: weights differ in their last bits from those of a step that is not counted.

    Attributes:
        total: FLOPs, two for a multiplication and an addition.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result
