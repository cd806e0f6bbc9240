"""Floating-point operations of a training step, counted while it runs and without effect on its results."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class FlopCount(TorchDispatchMode):
    """Sums torch's own formulas over the products, convolutions and attention within a `with` block.

    torch's `FlopCounterMode` gives the same sum, but also follows the modules by hooks. These change the order of some
    additions in the backward pass, so that weights would differ in their last bits from those of an uncounted step.

    Attributes:
        total: number of FLOPs; a multiplication and an addition are two.
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
