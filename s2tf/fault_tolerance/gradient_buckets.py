"""Order in which gradients of several ranks are added, the same before and after a restart."""

import lightning as L
import torch
from torch.nn.parallel import DistributedDataParallel


def settle_gradient_buckets(trainer: L.Trainer, stage: L.LightningModule) -> None:
    """Let DDP lay out its buckets before the first step of this process.

    DDP sends the gradients of the first step in one bucket. After it, buckets follow the order in which the gradients
    became ready. The place of an element in its bucket decides the order in which the ranks' gradients are added, and
    with it the last bits of the sum: with three or more ranks, a resumed run would differ from one that was never
    stopped. So an extra first step is done, on the gradients of 0 times all parameters, which change nothing.

    With `find_unused_parameters` DDP keeps the first layout, and nothing is done.
    """
    model = trainer.strategy.model
    if not isinstance(model, DistributedDataParallel) or model.find_unused_parameters:
        return

    def zero() -> torch.Tensor:
        return torch.stack([(parameter * 0).sum() for parameter in stage.parameters() if parameter.requires_grad]).sum()

    forward = stage.forward
    stage.forward = zero  # type: ignore[method-assign]
    try:
        model().backward()
    finally:
        stage.forward = forward  # type: ignore[method-assign]
    for parameter in stage.parameters():
        parameter.grad = None
