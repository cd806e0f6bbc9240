"""Batch normalisation over the batch of all ranks."""

import torch
import torch.distributed as dist
import torch.nn as nn
from torch import Tensor


class BatchNorm(nn.SyncBatchNorm):
    """Batch normalisation of (B, C, ...) whose batch, in training, is that of all ranks of equal size.

    A network thus trains alike on one process and on many with the same global batch. On GPUs it is torch's own, which
    refuses a CPU; there it is computed here.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        if x.is_cpu and self.training and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            return self._over_ranks(x)
        return super().forward(x)

    def _over_ranks(self, x: Tensor) -> Tensor:
        assert self.momentum is not None
        wide = x.to(self.weight.dtype)
        axes = [0, *range(2, x.ndim)]
        count = dist.get_world_size() * x.numel() // x.shape[1]
        mean = _Sum.apply(wide.sum(axes, keepdim=True)) / count
        centred = wide - mean
        # Not by the mean of the squares: much would cancel where the mean is large.
        variance = _Sum.apply(centred.square().sum(axes, keepdim=True)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(variance.flatten() * count / max(1, count - 1), self.momentum)
            self.num_batches_tracked += 1
        weight, bias = (value.view(mean.shape) for value in (self.weight, self.bias))
        return (centred * (variance + self.eps).rsqrt() * weight + bias).to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum over ranks, with gradient: each rank's term counts in every rank's loss."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total
