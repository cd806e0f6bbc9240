"""Results that are dataclasses of tensors, so that `torch.export` knows them."""

from typing import TypeVar

import torch

Class = TypeVar("Class", bound=type)


def register_for_export(cls: Class) -> Class:
    """Register a dataclass of tensors as what an exported network may return; above `@dataclass`."""
    torch.export.register_dataclass(cls)
    return cls
