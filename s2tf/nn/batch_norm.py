"""Batch normalisation over the batch of all ranks."""

import torch
import torch.distributed as dist
import torch.nn as nn
from torch import Tensor
from torch.nn.modules._functions import SyncBatchNorm


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation of (B, C, ...), in training over the batches of all ranks, which must have equal sizes.

    A network thus trains in the same way in one process and in many with the same global batch. On GPUs it uses the
    kernels of `torch.nn.SyncBatchNorm`, which DDP refuses on a CPU.

    Example:
        >>> BatchNorm(1)(torch.tensor([[1.0], [3.0]])).detach().round().tolist()
        [[-1.0], [1.0]]
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        ranks = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        if not self.training or ranks == 1:
            return super().forward(x)
        self.num_batches_tracked += 1
        if x.is_cpu:
            return self._over_ranks(x, ranks)
        statistics = (self.running_mean, self.running_var, self.eps, self.momentum)
        return SyncBatchNorm.apply(x, self.weight, self.bias, *statistics, dist.group.WORLD, ranks)

    def _over_ranks(self, x: Tensor, ranks: int) -> Tensor:
        wide = x.to(self.weight.dtype)
        axes = [0, *range(2, x.ndim)]
        count = ranks * x.numel() // x.shape[1]
        mean = _Sum.apply(wide.sum(axes, keepdim=True)) / count
        centred = wide - mean
        # The mean of the squares would lose precision where the mean is large.
        variance = _Sum.apply(centred.square().sum(axes, keepdim=True)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(variance.flatten() * count / max(1, count - 1), self.momentum)
        weight, bias = (value.view(mean.shape) for value in (self.weight, self.bias))
        return (centred * (variance + self.eps).rsqrt() * weight + bias).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept two axes or more."""
        if input.ndim < 2:
            raise ValueError(f"expected (B, C, ...), got {tuple(input.shape)}")


class _Sum(torch.autograd.Function):
    """The sum over ranks, with gradient: each rank's term enters every rank's loss."""

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
