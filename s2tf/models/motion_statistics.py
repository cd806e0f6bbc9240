"""Mean and standard deviation of motion codes: the diffusion works on codes of zero mean and unit variance."""

from collections.abc import Iterable

import torch
from torch import Tensor

from s2tf.nn.network import Network

STILL = 1e-6
"""A dimension whose standard deviation is below this does not move; it is centred, but not scaled."""


class MotionStatistics(Network):
    """The mean and standard deviation of each of the m dimensions of the motion code.

    Attributes:
        mean: shape (m,), zeros until fitted.
        std: shape (m,), ones until fitted.
        count: number of codes they were computed from; 0 until fitted.
    """

    mean: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, motion_dim: int = 20) -> None:
        """Build empty statistics, which leave codes as they are.

        Args:
            motion_dim: dimensions m of the code.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(motion_dim))
        self.register_buffer("std", torch.ones(motion_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def fitted(self) -> bool:
        """Whether the statistics come from data."""
        return bool(self.count > 0)

    def fit(self, stream: Iterable[Tensor]) -> None:
        """Compute the statistics from a stream of codes (..., m), in float64 and without keeping them.

        Raises:
            ValueError: the stream is empty, has another m, or holds values that are not finite.
        """
        moments = torch.zeros(3, len(self.mean), dtype=torch.float64)
        for codes in stream:
            moments += self.moments(codes)
        self.set_moments(moments)

    def moments(self, codes: Tensor) -> Tensor:
        """Count, sum and sum of squares of codes (..., m), each (m,): (3, m) float64, which adds up over pieces."""
        if codes.shape[-1] != len(self.mean):
            raise ValueError(f"motion codes have {codes.shape[-1]} dimensions, expected {len(self.mean)} (motion_dim)")
        codes = codes.detach().reshape(-1, codes.shape[-1]).double().cpu()
        if not torch.isfinite(codes).all():
            raise ValueError("motion codes hold values that are not finite")
        return torch.stack([torch.full_like(codes[:1].sum(0), len(codes)), codes.sum(0), codes.square().sum(0)])

    def set_moments(self, moments: Tensor) -> None:
        """Take over count, sum and sum of squares, (3, m), of `moments`.

        Raises:
            ValueError: they are of no code at all.
        """
        count, total, squares = moments.double().cpu()
        if count[0] < 1:
            raise ValueError("there are no motion codes to compute statistics from")
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > STILL, std, torch.ones_like(std)))
        self.count.copy_(count[0].long())

    def normalise(self, codes: Tensor) -> Tensor:
        """Codes (..., m) at zero mean and unit variance."""
        return (codes - self.mean) / self.std

    def denormalise(self, codes: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return codes * self.std + self.mean
