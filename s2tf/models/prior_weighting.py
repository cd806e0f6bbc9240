"""The weight β of the statistical face prior: a constant, SAW, attention, or nothing (Eq. 8–9, Tables IV–V)."""

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.network import Network

BETA_0 = 0.01
"""The sample-equivalent weight β⁰ of the paper; the learned weights start from it."""


class PriorWeighting(Network):
    """Maps (z_s (B, d), z_p (d,)) to the weighted prior β ⊙ z_p, shape (B, d)."""

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The weight per sample and dimension, shape (B, d)."""
        raise NotImplementedError

    def forward(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """Weight the prior by elements (Eq. 9).

        Args:
            z_s: speech embedding, shape (B, d).
            z_p: statistical face prior, shape (d,), in the scale of the diffused latents.

        Returns:
            β ⊙ z_p, shape (B, d).
        """
        return self.beta(z_s, z_p) * z_p


class NoPrior(PriorWeighting):
    """The weight β = 0: diffusion without a face prior (the baseline of Table III)."""

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """Zeros, shape (B, d)."""
        return torch.zeros_like(z_s)


class SampleEquivalentWeighting(PriorWeighting):
    """The weight β⁰: the same constant for every sample and dimension (Table IV)."""

    def __init__(self, weight: float = BETA_0) -> None:
        super().__init__()
        self.weight = weight

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The constant, shape (B, d)."""
        return torch.full_like(z_s, self.weight)


class SampleAdaptiveWeighting(PriorWeighting):
    """The weight of SAW, β = W_s z_s + W_p z_p + b, learned together with the denoiser (Eq. 8).

    W_s and W_p start at zero and b at `start`, so that training starts from the sample-equivalent weight β⁰ for any
    scale of the embeddings; W_s moves at the first step, since its gradient does not pass through itself.
    """

    def __init__(self, dim: int = 4096, start: float = BETA_0) -> None:
        super().__init__()
        self.speech = nn.Linear(dim, dim)
        self.prior = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.speech.weight)
        nn.init.zeros_(self.prior.weight)
        nn.init.constant_(self.speech.bias, start)

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """W_s z_s + W_p z_p + b, shape (B, d)."""
        return self.speech(z_s) + self.prior(z_p)


class AttentionWeighting(PriorWeighting):
    """The weight β by self-attention over the two tokens z_s and z_p: the alternative to SAW in Table V.

    Query, key, value and output projections of two tokens are eight d × d products, and SAW has two: this is the
    factor of four between the FLOPs in the paper. β is the mean of the two output tokens. The output
    projection starts at a hundredth of its usual size and its bias at `start`, so that β starts near β⁰.
    """

    def __init__(self, dim: int = 4096, heads: int = 8, start: float = BETA_0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        with torch.no_grad():
            self.attention.out_proj.weight.mul_(0.01)
        nn.init.constant_(self.attention.out_proj.bias, start)

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The mean of the two attended tokens, shape (B, d)."""
        tokens = self.norm(torch.stack([z_s, z_p.expand_as(z_s)], dim=1))
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return attended.mean(dim=1)
