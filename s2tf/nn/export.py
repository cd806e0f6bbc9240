"""Registration of results, dataclasses of tensors, for `torch.export`."""

from typing import TypeVar

import torch

Class = TypeVar("Class", bound=type)


def register_for_export(cls: Class) -> Class:
    """Register a dataclass of tensors as a possible result of exported networks; put it above `@dataclass`."""
    torch.export.register_dataclass(cls)
    return cls
