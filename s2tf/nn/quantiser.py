"""Vector quantiser: each position of a feature map takes the nearest item of a learned codebook (Eq. 18)."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn as nn
from torch import Tensor

from s2tf.nn.export import register_for_export

USAGE_DECAY = 0.99
DEAD_SHARE = 0.05
"""A code is dead when it is used less than this share of what equal use would give it."""


@register_for_export
@dataclass(frozen=True)
class Quantised:
    """A quantised map and what its losses and logs need."""

    z: Tensor
    """(B, d, h, w) the map before quantisation, z_wr of Eq. 19."""
    z_q: Tensor
    """(B, d, h, w) its nearest codes; the gradient goes to the codebook."""
    output: Tensor
    """(B, d, h, w) equal to `z_q`; the gradient goes straight through to `z`."""
    indices: Tensor
    """(B, h, w) int64 in 0..codes-1."""
    perplexity: Tensor
    """() of the codes' use in this batch, in training that of all ranks; see `perplexity`."""


class VectorQuantiser(nn.Module):
    """A codebook C of `codes` vectors of length `dim` and the look-up of the nearest one in the L2 norm.

    Starts uniform in +-1 / codes, as CodeFormer's. `usage` follows how often each code was used in training, by all
    ranks.
    """

    usage: Tensor

    def __init__(self, codes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, dim)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)
        self.register_buffer("usage", torch.full((codes,), 1 / codes))

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
        """(N,) the index of the code nearest to each of (N, d), Eq. 18."""
        codes = self.embedding.weight
        return torch.addmm(codes.square().sum(dim=1), vectors, codes.T, alpha=-2).argmin(dim=1)

    @property
    def dead(self) -> Tensor:
        """() int64: how many codes are hardly used in training."""
        return (self.usage < DEAD_SHARE / len(self.usage)).sum()

    @torch.no_grad()
    def restart_dead(self, z: Tensor) -> None:
        """Put each dead code at a random position of `z` (B, d, h, w), alike on all ranks."""
        vectors = z.detach().float().permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        drawn = vectors[torch.randint(len(vectors), (len(self.usage),), device=z.device)]
        dead = self.usage < DEAD_SHARE / len(self.usage)
        codes = torch.where(dead[:, None], drawn, self.embedding.weight)
        usage = torch.where(dead, 1 / len(self.usage), self.usage)
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(codes, src=0)
            dist.broadcast(usage, src=0)
        self.embedding.weight.copy_(codes)
        self.usage.copy_(usage)


def perplexity(share: Tensor) -> Tensor:
    """() exp of the entropy of the codes' shares (codes,): 1 (one code) to `codes` (all equally)."""
    return torch.exp(-torch.xlogy(share, share).sum())
