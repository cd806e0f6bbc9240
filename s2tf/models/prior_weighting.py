"""The weight β of the statistical face prior: a constant, SAW, attention, or nothing (Eq. 8–9, Tables IV–V).

β ⊙ z_p with SAW is diag(z_p)(W_s z_s + W_p z_p + b). For any z_p without zeros this is every affine map of z_s to the
latent, whatever z_p is: the prior changes the start and the size of the steps, not what can be learned. So SAW beside
no prior compares a second path of the speech to the denoiser with none. `ReplacedPrior` and `SpeechPath` are the
controls that tell the two apart; they are not in the paper.
"""

from typing import Literal

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

    Args:
        dim: Size d of the latent.
        start: Weight at the start of the training.
        normalise: Normalise z_s and z_p by LayerNorm first, as attention does. A control, which is not in the paper.
    """

    def __init__(self, dim: int = 4096, start: float = BETA_0, normalise: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim) if normalise else None
        self.speech = nn.Linear(dim, dim)
        self.prior = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.speech.weight)
        nn.init.zeros_(self.prior.weight)
        nn.init.constant_(self.speech.bias, start)

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """W_s z_s + W_p z_p + b, shape (B, d)."""
        if self.norm is not None:
            z_s, z_p = self.norm(z_s), self.norm(z_p)
        return self.speech(z_s) + self.prior(z_p)


class SpeechPath(PriorWeighting):
    """A second path of the speech to the denoiser, W_s z_s + b, without a prior: a control, which is not in the paper.

    It starts at zero, as `NoPrior` is.
    """

    def __init__(self, dim: int = 4096) -> None:
        super().__init__()
        self.speech = nn.Linear(dim, dim)
        nn.init.zeros_(self.speech.weight)
        nn.init.zeros_(self.speech.bias)

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The shift of the input itself, shape (B, d): z_p is not read."""
        return self.speech(z_s)

    def forward(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """W_s z_s + b, shape (B, d)."""
        return self.beta(z_s, z_p)


class ReplacedPrior(PriorWeighting):
    """A weighting that reads another vector in the place of z_p: a control, which is not in the paper.

    Args:
        weighting: Weighting that is given the other vector.
        prior: `ones` for z_p := 1, or `permuted` for z_p with its dimensions in another order, one for all speakers.
        seed: Seed of that order.
    """

    def __init__(self, weighting: PriorWeighting, prior: Literal["ones", "permuted"], seed: int = 0) -> None:
        super().__init__()
        if prior not in ("ones", "permuted"):
            raise ValueError(f"prior is {prior!r}, expected 'ones' or 'permuted'")
        self.weighting, self.prior, self.seed = weighting, prior, seed

    def replaced(self, z_p: Tensor) -> Tensor:
        """The vector in the place of z_p, shape (d,)."""
        if self.prior == "ones":
            return torch.ones_like(z_p)
        order = torch.randperm(len(z_p), generator=torch.Generator().manual_seed(self.seed))
        return z_p[order.to(z_p.device)]

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The weight of the other vector, shape (B, d)."""
        return self.weighting.beta(z_s, self.replaced(z_p))

    def forward(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The other vector by its weight, shape (B, d)."""
        return self.weighting(z_s, self.replaced(z_p))


class AttentionWeighting(PriorWeighting):
    """The weight β by self-attention over the two tokens z_s and z_p: the alternative to SAW in Table V.

    Query, key, value and output projections of two tokens are eight d × d products, and SAW has two: this is the
    factor of four between the FLOPs in the paper. β is the mean of the two output tokens. The output
    projection starts at a hundredth of its usual size and its bias at `start`, so that β starts near β⁰.

    Args:
        dim: Size d of the latent.
        heads: Number of heads.
        start: Weight near which the training starts.
        normalise: Normalise z_s and z_p by LayerNorm first; False is a control, which is not in the paper.
    """

    def __init__(self, dim: int = 4096, heads: int = 8, start: float = BETA_0, normalise: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim) if normalise else None
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        with torch.no_grad():
            self.attention.out_proj.weight.mul_(0.01)
        nn.init.constant_(self.attention.out_proj.bias, start)

    def beta(self, z_s: Tensor, z_p: Tensor) -> Tensor:
        """The mean of the two attended tokens, shape (B, d)."""
        tokens = torch.stack([z_s, z_p.expand_as(z_s)], dim=1)
        tokens = tokens if self.norm is None else self.norm(tokens)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return attended.mean(dim=1)
