"""The denoiser of portraits: Stable Diffusion's UNet on the face latent, conditioned on speech."""

from collections.abc import Sequence
from math import prod
from typing import Any, cast

import torch
import torch.nn as nn
from diffusers import UNet2DConditionModel
from torch import Tensor

from s2tf.nn.network import Network


class PortraitUNet(Network):
    """The denoiser ε_θ(z^s, z^t*, t): diffusers' `UNet2DConditionModel` with cross-attention to the speech embedding.

    The speech embedding, layer-normalised, is cut into `tokens` pieces; one linear layer maps each to the context's
    width, and a learned vector per token marks the piece, since attention could not tell the pieces apart.

    In the paper's fc7 form the latent map is an embedding folded to (c, h, w), where a place is only an index. A
    convolution cannot tell such places apart, so `place_channels` learned maps are appended to the input.
    """

    def __init__(
        self,
        latent_shape: Sequence[int] = (4, 32, 32),
        dim: int = 4096,
        channels: Sequence[int] = (192, 384, 768, 768),
        layers_per_block: int = 2,
        heads: int = 8,
        tokens: int = 8,
        context_dim: int = 768,
        norm_groups: int = 32,
        place_channels: int = 4,
        gradient_checkpointing: bool = False,
    ) -> None:
        """Build the denoiser.

        Args:
            latent_shape: (c, h, w) of the latent, with c · h · w = d.
            dim: size of the speech embedding, a multiple of `tokens`.
            channels: widths of the levels; all but the last have cross-attention. The default fits the paper's
                parameter budget, (320, 640, 1280, 1280) is Stable Diffusion 1.5.
            layers_per_block: residual blocks per level.
            heads: attention heads.
            tokens: pieces of the speech embedding.
            context_dim: width of a token in cross-attention.
            norm_groups: groups of group norm; must divide every entry of `channels`.
            place_channels: learned maps appended to the input.
            gradient_checkpointing: compute the blocks again in the backward pass instead of keeping their activations:
                less memory for about a third more work. The gradients are the same.

        Raises:
            ValueError: the sizes do not divide each other.
        """
        super().__init__()
        _check_sizes(latent_shape, dim, tokens, channels)
        self.latent_shape = tuple(latent_shape)
        c, h, w = self.latent_shape
        self.tokens = tokens
        self.place = nn.Parameter(torch.randn(1, place_channels, h, w))
        self.norm = nn.LayerNorm(dim)
        self.to_context = nn.Linear(dim // tokens, context_dim)
        self.token_names = nn.Parameter(torch.randn(1, tokens, context_dim) * 0.1)
        levels = len(channels)
        self.unet = UNet2DConditionModel(
            sample_size=h,
            in_channels=c + place_channels,
            out_channels=c,
            block_out_channels=tuple(channels),
            layers_per_block=layers_per_block,
            down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
            # diffusers' name for the number of heads in Stable Diffusion 1 configurations.
            attention_head_dim=heads,
            cross_attention_dim=context_dim,
            norm_num_groups=norm_groups,
        )
        if gradient_checkpointing:
            cast(Any, self.unet).enable_gradient_checkpointing()

    def forward(self, z_t: Tensor, t: Tensor, z_s: Tensor) -> Tensor:
        """Predict the noise.

        Args:
            z_t: noisy latent with the weighted prior injected, shape (B, c, h, w).
            t: noise levels, shape (B,).
            z_s: speech embedding, shape (B, dim).

        Returns:
            ε, shape (B, c, h, w).
        """
        pieces = self.norm(z_s).reshape(len(z_s), self.tokens, -1)
        context = self.to_context(pieces) + self.token_names
        state = torch.cat([z_t, self.place.expand(len(z_t), -1, -1, -1)], dim=1)
        # diffusers types its models as not callable.
        return cast(Any, self.unet)(state, t, encoder_hidden_states=context).sample


def _check_sizes(latent_shape: Sequence[int], dim: int, tokens: int, channels: Sequence[int]) -> None:
    if len(latent_shape) != 3 or prod(latent_shape) < 1:
        raise ValueError(f"latent_shape is {tuple(latent_shape)}, expected (c, h, w)")
    if dim % tokens:
        raise ValueError(f"tokens is {tokens}, expected a divisor of dim {dim}")
    smallest = 2 ** (len(channels) - 1)
    if latent_shape[1] % smallest or latent_shape[2] % smallest:
        raise ValueError(
            f"latent_shape is {tuple(latent_shape)}: with {len(channels)} levels h and w must be multiples of "
            f"{smallest}"
        )
