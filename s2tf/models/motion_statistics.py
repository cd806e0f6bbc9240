"""Mean, deviation and covariance of motion codes; the diffusion works on codes of zero mean and unit variance."""

from collections.abc import Iterable

import torch
from torch import Tensor

from s2tf.nn.network import Network

STILL = 1e-6
"""Least standard deviation of a moving dimension; a dimension below it is centred, but not scaled."""


class MotionStatistics(Network):
    """The mean and standard deviation of each of the m dimensions of the motion code, and their covariance.

    Attributes:
        mean: shape (m,), zeros until fitted.
        std: shape (m,), ones until fitted.
        covariance: shape (m, m), of the codes of one sequence about their mean; the identity until fitted.
        count: number of codes they were computed from; 0 until fitted.
    """

    mean: Tensor
    std: Tensor
    covariance: Tensor
    count: Tensor

    def __init__(self, motion_dim: int = 20) -> None:
        """Build empty statistics, which leave codes as they are.

        Args:
            motion_dim: dimensions m of the code.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(motion_dim))
        self.register_buffer("std", torch.ones(motion_dim))
        self.register_buffer("covariance", torch.eye(motion_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def fitted(self) -> bool:
        """True if the statistics come from data."""
        return bool(self.count > 0)

    def fit(self, stream: Iterable[Tensor]) -> None:
        """Compute the statistics from a stream of sequences of codes (..., T, m), in float64 and without keeping them.

        Raises:
            ValueError: the stream is empty, has another m, or holds values that are not finite.
        """
        moments = torch.zeros(3 + len(self.mean), len(self.mean), dtype=torch.float64)
        for codes in stream:
            moments += self.moments(codes)
        self.set_moments(moments)

    def moments(self, codes: Tensor) -> Tensor:
        """The moments of sequences of codes (..., T, m), whose sum over pieces gives the statistics.

        Returns:
            (3 + m, m) float64: count, sum and sum of squares, then the products about the mean of each sequence.
        """
        if codes.shape[-1] != len(self.mean):
            raise ValueError(f"motion codes have {codes.shape[-1]} dimensions, expected {len(self.mean)} (motion_dim)")
        codes = codes.detach().double().cpu()
        if not torch.isfinite(codes).all():
            raise ValueError("motion codes hold values that are not finite")
        moved = (codes - codes.mean(dim=-2, keepdim=True)).flatten(0, -2)
        codes = codes.flatten(0, -2)
        counts = torch.full_like(self.mean, len(codes), dtype=torch.float64, device="cpu")
        return torch.cat([torch.stack([counts, codes.sum(0), codes.square().sum(0)]), moved.T @ moved])

    def set_moments(self, moments: Tensor) -> None:
        """Set the statistics from summed `moments`, (3 + m, m).

        Raises:
            ValueError: the moments count no code.
        """
        count, total, squares, *products = moments.double().cpu()
        if count[0] < 1:
            raise ValueError("there are no motion codes to compute statistics from")
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > STILL, std, torch.ones_like(std)))
        self.covariance.copy_(torch.stack(products) / count)
        self.count.copy_(count[0].long())

    def normalise(self, codes: Tensor) -> Tensor:
        """Codes (..., m) at zero mean and unit variance."""
        return (codes - self.mean) / self.std

    def denormalise(self, codes: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return codes * self.std + self.mean
