"""Vector quantiser: each position of a feature map takes the nearest item of a learned codebook (Eq. 18)."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn as nn
from torch import Tensor

from s2tf.nn.export import register_for_export

USAGE_DECAY = 0.95
"""Share of the use that a step keeps: at 0.99 an unused code counted as alive for 300 steps."""
DEAD_SHARE = 0.05
"""A code is dead when its use is below this share of the average use."""
LLOYD_ROUNDS = 10
"""Rounds of k-means (Lloyd) when codes are placed."""


@register_for_export
@dataclass(frozen=True)
class Quantised:
    """A quantised map, with the values that losses and logs need."""

    z: Tensor
    """(B, d, h, w) the map before quantisation, z_wr of Eq. 19."""
    z_q: Tensor
    """(B, d, h, w) its nearest codes; the gradient goes to the codebook."""
    output: Tensor
    """(B, d, h, w) equal to `z_q`; the gradient goes straight through to `z`."""
    indices: Tensor
    """(B, h, w) int64 in 0..codes-1."""
    perplexity: Tensor
    """() perplexity of the codes' use in this batch, in training over all ranks; see `perplexity`."""


class VectorQuantiser(nn.Module):
    """A codebook C of `codes` vectors of length `dim` and the look-up of the nearest one in the L2 norm.

    It starts uniform in +-1 / codes, as CodeFormer's, and unused, so that the first `restart_dead` moves nearly all
    codes among the latents. `usage` follows the use of each code in training, over all ranks.

    Example:
        >>> VectorQuantiser(codes=16, dim=4)(torch.zeros(2, 4, 3, 3)).indices.shape
        torch.Size([2, 3, 3])
    """

    usage: Tensor

    def __init__(self, codes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, dim)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)
        self.register_buffer("usage", torch.zeros(codes))

    def forward(self, z: Tensor) -> Quantised:
        """Quantise (B, d, h, w)."""
        batch, dim, height, width = z.shape
        with torch.autocast(z.device.type, enabled=False):
            vectors = z.float().permute(0, 2, 3, 1).reshape(-1, dim)
            indices = self.nearest(vectors.detach())
            z_q = self.embedding(indices).view(batch, height, width, dim).permute(0, 3, 1, 2)
            output = z.float() + (z_q - z.float()).detach()
        share = torch.bincount(indices, minlength=len(self.usage)).to(self.usage) / len(indices)
        if self.training:
            if dist.is_available() and dist.is_initialized():
                dist.all_reduce(share)
                share /= dist.get_world_size()
            self.usage.lerp_(share, 1 - USAGE_DECAY)
        return Quantised(z.float(), z_q, output, indices.view(batch, height, width), perplexity(share))

    @torch.no_grad()
    def nearest(self, vectors: Tensor) -> Tensor:
        """The index (N,) of the code nearest to each vector (N, d), Eq. 18."""
        codes = self.embedding.weight
        return torch.addmm(codes.square().sum(dim=1), vectors, codes.T, alpha=-2).argmin(dim=1)

    @property
    def dead(self) -> Tensor:
        """Number of codes that training rarely uses, () int64."""
        return (self.usage < DEAD_SHARE / len(self.usage)).sum()

    @torch.no_grad()
    def start_among(self, z: Tensor) -> None:
        """Place every code at the centre of a cluster of the vectors of `z` (B, d, h, w), the same on all ranks.

        At random vectors, what is rare gets no code near it: k-means leaves 0.34 to 0.49 of the error on these vectors
        (colours of synthetic faces).
        """
        self.usage.zero_()
        self.restart_dead(z)
        vectors = _vectors_of_all_ranks(z)
        # Distances need all digits, as in `forward`.
        with torch.autocast(z.device.type, enabled=False):
            for _ in range(LLOYD_ROUNDS):
                nearest = self.nearest(vectors)
                counts = torch.bincount(nearest, minlength=len(self.usage))[:, None]
                sums = torch.zeros_like(self.embedding.weight).index_add_(0, nearest, vectors)
                self.embedding.weight.copy_(torch.where(counts > 0, sums / counts.clamp_min(1), self.embedding.weight))
        _from_first_rank(self.embedding.weight)

    @torch.no_grad()
    def restart_dead(self, z: Tensor) -> None:
        """Move each dead code to a random vector of `z` (B, d, h, w) of any rank, the same on all ranks."""
        vectors = _vectors_of_all_ranks(z)
        chosen = vectors[torch.randint(len(vectors), (len(self.usage),), device=z.device)]
        dead = self.usage < DEAD_SHARE / len(self.usage)
        self.embedding.weight.copy_(torch.where(dead[:, None], chosen, self.embedding.weight))
        self.usage.copy_(torch.where(dead, 1 / len(self.usage), self.usage))
        _from_first_rank(self.embedding.weight, self.usage)


def _vectors_of_all_ranks(z: Tensor) -> Tensor:
    """(B, d, h, w) -> (N, d), the vectors of all ranks in their order, which have as many each."""
    vectors = z.detach().float().permute(0, 2, 3, 1).reshape(-1, z.shape[1]).contiguous()
    if not (dist.is_available() and dist.is_initialized()):
        return vectors
    parts = [torch.empty_like(vectors) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, vectors)
    return torch.cat(parts)


def _from_first_rank(*values: Tensor) -> None:
    if dist.is_available() and dist.is_initialized():
        for value in values:
            dist.broadcast(value.data, src=0)


def perplexity(share: Tensor) -> Tensor:
    """The exponential of the entropy of the codes' shares (codes,): 1 (one code) to `codes` (equal use); a scalar.

    Example:
        >>> perplexity(torch.tensor([0.5, 0.5, 0.0])).item()
        2.0
    """
    return torch.exp(-torch.xlogy(share, share).sum())
