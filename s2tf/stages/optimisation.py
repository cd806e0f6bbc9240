"""Parameter groups and the learning-rate schedule of the stages."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn

ORDINARY_LAYERS = (nn.Conv2d, nn.Linear, nn.GroupNorm, nn.Embedding)
"""Layers that use their weights as stored; equalised layers store unit variance and need larger steps."""


def by_kind_of_layer(
    network: nn.Module, apart: Sequence[nn.Parameter] = ()
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Divide a network's parameters, without those `apart`, into those of equalised layers and of ordinary ones."""
    taken = {id(parameter) for parameter in apart}
    ordinary = [
        parameter
        for module in network.modules()
        if isinstance(module, ORDINARY_LAYERS)
        for parameter in module.parameters()
        if id(parameter) not in taken
    ]
    taken |= {id(parameter) for parameter in ordinary}
    return [parameter for parameter in network.parameters() if id(parameter) not in taken], ordinary


def decay_groups(modules: Sequence[nn.Module], learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: matrices and kernels decay; biases, norms and single values do not.

    Args:
        modules: modules with the parameters; frozen ones are left out.
        learning_rate: rate of both groups.
        weight_decay: decay of the first group.

    Returns:
        One or two groups, without empty ones.
    """
    parameters = [value for module in modules for value in module.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in parameters if value.ndim >= 2], "weight_decay": weight_decay},
        {"params": [value for value in parameters if value.ndim < 2], "weight_decay": 0.0},
    ]
    return [{**group, "lr": learning_rate} for group in groups if group["params"]]


def adam(groups: list[dict[str, Any]], trainer: Any, decoupled: bool = False) -> torch.optim.Optimizer:
    """Adam with one kernel for all parameters where the precision allows it: many small tensors cost the most time.

    Args:
        groups: parameter groups.
        trainer: the Trainer; in mixed precision Lightning cannot clip the gradients of a fused optimizer.
        decoupled: AdamW, whose decay does not enter the moments.
    """
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    return kind(groups, fused=True if trainer.precision == "32-true" else None)


def warmup_cosine(
    optimizer: torch.optim.Optimizer, warmup_steps: int, total_steps: int | float
) -> torch.optim.lr_scheduler.LambdaLR:
    """A factor on every group's rate: linear from near 0 over the warm-up, then a half cosine to 0 at the end.

    Args:
        optimizer: optimizer with the groups.
        warmup_steps: length of the rise; 0 starts at the full rate.
        total_steps: steps of the whole training; where it has no end (infinity) the rate stays constant.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        if math.isinf(total_steps):
            return 1.0
        progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def total_steps(trainer: Any) -> int | float:
    """The number of optimizer steps of a fit; infinity where its end is not set in steps or epochs."""
    if trainer.max_steps != -1:
        return trainer.max_steps
    return trainer.estimated_stepping_batches
