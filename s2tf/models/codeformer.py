"""CodeFormer (Zhou et al., NeurIPS 2022): a degraded face to codes by a transformer, and codes to a clean face.

The high-resolution decoder of the paper starts from its codebook, generator, fusion and encoder. Its code predictor
can choose the codes of a pipeline (`s2tf.models.predicted_codes`); whole, it serves tests of parity.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.nn.export import register_for_export
from s2tf.nn.network import Network
from s2tf.nn.quantiser import VectorQuantiser
from s2tf.nn.vq_blocks import PositionAttention, ResidualBlock, group_norm


class FaceCodeEncoder(Network):
    """CodeFormer's encoder: pictures (B, 3, R, R) to the latent that is quantised, and to finer features for fusion.

    Args:
        size: R in pixels.
        code_dim: length of a code.
        widths: width at each side from fine to coarse; the default is CodeFormer's, 512 to 16 pixels.
        res_blocks: residual blocks per side.
    """

    def __init__(
        self,
        size: int = 512,
        code_dim: int = 256,
        widths: tuple[int, ...] = (64, 128, 128, 256, 256, 512),
        res_blocks: int = 2,
    ) -> None:
        super().__init__()
        self.size = size
        last = widths[-1]
        self.from_rgb = nn.Conv2d(3, widths[0], 3, padding=1)
        before = (widths[0], *widths)
        self.levels = nn.ModuleList(
            EncoderLevel(before[index], width, res_blocks, attention=index == len(widths) - 1, down=index > 0)
            for index, width in enumerate(widths)
        )
        self.tail = encoder_tail(last, code_dim)

    def forward(self, image: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """The latent (B, code_dim, S, S), and the features of every side, (B, width, side, side)."""
        x = self.from_rgb(image)
        features = {}
        for level in self.levels:
            x = level(x)
            features[x.shape[-1]] = x
        return self.tail(x), features


def encoder_tail(width: int, code_dim: int, attention: bool = True) -> nn.Sequential:
    """Blocks behind the encoder's coarsest level: (B, width, S, S) to the latent (B, code_dim, S, S)."""
    return nn.Sequential(
        ResidualBlock(width, width),
        PositionAttention(width) if attention else nn.Identity(),
        ResidualBlock(width, width),
        group_norm(width),
        nn.Conv2d(width, code_dim, 3, padding=1),
    )


class EncoderLevel(nn.Module):
    """Halves the side (except at the first level), then residual blocks; at the last level with attention."""

    def __init__(self, in_channels: int, channels: int, res_blocks: int, attention: bool, down: bool) -> None:
        super().__init__()
        self.down = nn.Conv2d(in_channels, in_channels, 3, stride=2) if down else None
        self.blocks = nn.ModuleList(
            ResidualBlock(in_channels if index == 0 else channels, channels) for index in range(res_blocks)
        )
        self.attentions = nn.ModuleList(PositionAttention(channels) for _ in range(res_blocks if attention else 0))

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """(B, C_in, H, W) -> (B, C, H / 2, W / 2), or the same sides at the first level; `added` joins then."""
        if self.down is not None:
            # Only one row and one column at the end, as in VQGAN.
            x = self.down(F.pad(x, (0, 1, 0, 1)))
        if added is not None:
            x = x + added
        for index, block in enumerate(self.blocks):
            x = block(x)
            if self.attentions:
                x = self.attentions[index](x)
        return x


@dataclass(frozen=True)
class CodeSizes:
    """Sizes that a code predictor and a codebook have in common."""

    codes: int
    """Number of items of the codebook."""
    code_dim: int
    """Length of an item."""
    places: int
    """Number of codes of a picture."""

    def __str__(self) -> str:
        return f"{self.codes} codes of length {self.code_dim} at {self.places} places"


class CodePredictor(Network):
    """The transformer that predicts codes: latents (B, code_dim, S, S) to logits of each place's code, (B, S², codes).

    Args:
        code_dim: length of a code.
        places: S².
        codes: number of items of the codebook.
        dim: width of the transformer.
        layers: number of layers.
        heads: number of heads of each layer.
        hidden: width of each layer's MLP.
    """

    def __init__(
        self,
        code_dim: int = 256,
        places: int = 256,
        codes: int = 1024,
        dim: int = 512,
        layers: int = 9,
        heads: int = 8,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(places, dim))
        self.embed = nn.Linear(code_dim, dim)
        self.layers = nn.ModuleList(_TransformerLayer(dim, heads, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, codes, bias=False)

    @property
    def sizes(self) -> CodeSizes:
        """The sizes that the codebook's must be equal to."""
        return CodeSizes(self.to_logits.out_features, self.embed.in_features, len(self.positions))

    def forward(self, latent: Tensor) -> Tensor:
        """Predict the logits."""
        x = self.embed(latent.flatten(2).transpose(1, 2))
        for layer in self.layers:
            x = layer(x, self.positions)
        return self.to_logits(self.norm(x))


class _TransformerLayer(nn.Module):
    """Pre-norm self-attention, in which only queries and keys have positions, and an MLP: (B, N, D) -> same."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Attend and add, compute and add."""
        normed = self.norm1(x)
        placed = normed + positions
        x = x + self.attention(placed, placed, normed, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


@register_for_export
@dataclass(frozen=True)
class Restored:
    """The output of CodeFormer for a picture."""

    image: Tensor
    """(B, 3, R, R) near [-1, 1], not clamped."""
    logits: Tensor
    """(B, S², codes) logits of the codes."""
    latent: Tensor
    """(B, code_dim, S, S) latent before quantisation."""


class CodeFormer(Network):
    """The whole network; it uses the codes that the predictor finds most likely, not those nearest to the latent."""

    def __init__(
        self,
        encoder: FaceCodeEncoder,
        predictor: CodePredictor,
        generator: CodebookGenerator,
        codes: int = 1024,
        code_dim: int = 256,
    ) -> None:
        super().__init__()
        self.encoder, self.predictor, self.generator = encoder, predictor, generator
        self.quantiser = VectorQuantiser(codes, code_dim)

    def forward(self, image: Tensor, fidelity: float = 0.5) -> Restored:
        """Restore pictures (B, 3, R, R) in [-1, 1]; `fidelity` from 0, codes alone, to 1, nearest to the picture."""
        latent, features = self.encoder(image)
        logits = self.predictor(latent)
        chosen = most_likely(logits, self.quantiser, latent)
        faithful = features if fidelity > 0 else {}
        return Restored(self.generator(chosen, faithful, fidelity), logits, latent)


def most_likely(logits: Tensor, quantiser: VectorQuantiser, latent: Tensor) -> Tensor:
    """The codes that logits (B, S², codes) find most likely, in the shape of the latent (B, code_dim, S, S)."""
    chosen = quantiser.embedding(logits.argmax(dim=2)).transpose(1, 2)
    # Channels first in memory, as the nearest codes are.
    return chosen.contiguous().reshape(latent.shape)
