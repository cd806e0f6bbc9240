"""The generator of CodeFormer: codes to a picture, with finer features fused in on the way."""

from collections.abc import Mapping

import torch.nn as nn
from torch import Tensor

from s2tf.nn.equalised import octaves
from s2tf.nn.network import Network
from s2tf.nn.vq_blocks import Fusion, PositionAttention, ResidualBlock, Upsample, group_norm


class CodebookGenerator(Network):
    """CodeFormer's generator: codes (B, code_dim, S, S) to pictures (B, 3, R, R).

    A convolution, residual, attention and residual block, then per level residual blocks (with attention at the first)
    and a doubling. After the first block of a level with faithful features, these are fused in under the control of
    `fidelity`.

    Args:
        latent_side: S.
        output_size: R in pixels.
        code_dim: length of a code.
        widths: width at each side from coarse to fine; the default is CodeFormer's.
        res_blocks: residual blocks per level.
        fused: width of the faithful features as [side, width] pairs; sides without a pair are not fused.
        normalise_fusion: keep the fusion's growth linear (`s2tf.nn.vq_blocks.Fusion`); not with CodeFormer's weights.
        attention: attention over the codes' places, as in CodeFormer.

    Raises:
        ValueError: `widths` does not have one entry per side.
    """

    def __init__(
        self,
        latent_side: int = 16,
        output_size: int = 512,
        code_dim: int = 256,
        widths: tuple[int, ...] = (512, 256, 256, 128, 128, 64),
        res_blocks: int = 2,
        fused: tuple[tuple[int, int], ...] = ((32, 256), (64, 256), (128, 128), (256, 128)),
        normalise_fusion: bool = False,
        attention: bool = True,
    ) -> None:
        super().__init__()
        sides = octaves(latent_side, output_size, "output_size")
        if len(widths) != len(sides):
            raise ValueError(f"widths has {len(widths)} numbers, expected {len(sides)}: one per side in {sides}")
        first, faithful = widths[0], dict(fused)
        self.head = nn.Sequential(
            nn.Conv2d(code_dim, first, 3, padding=1),
            ResidualBlock(first, first),
            PositionAttention(first) if attention else nn.Identity(),
            ResidualBlock(first, first),
        )
        # A level for each side, with attention at the coarsest and fusion at the others.
        before = (first, *widths)
        self.levels = nn.ModuleList(
            _Level(
                before[index],
                width,
                res_blocks,
                attention=attention and index == 0,
                fused=faithful.get(side, 0) if index > 0 else 0,
                normalise_fusion=normalise_fusion,
                up=side < output_size,
            )
            for index, (side, width) in enumerate(zip(sides, widths, strict=True))
        )
        self.norm = group_norm(widths[-1])
        self.to_rgb = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, codes: Tensor, faithful: Mapping[int, Tensor], fidelity: float | Tensor = 1.0) -> Tensor:
        """Generate a picture, near [-1, 1] but not clamped.

        Args:
            codes: (B, code_dim, S, S).
            faithful: features by side, (B, width, side, side); sides without features are not fused.
            fidelity: w of `s2tf.nn.vq_blocks.Fusion`: 1 uses the faithful features fully, 0 the codes alone; a number,
                or (B, 1, 1, 1) for a number of each row.
        """
        x = self.head(codes)
        for level in self.levels:
            x = level(x, faithful.get(x.shape[-1]), fidelity)
        return self.to_rgb(self.norm(x))


class _Level(nn.Module):
    """The blocks of one side: residual blocks, fusion after the first, attention after each, doubling at the end."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        res_blocks: int,
        attention: bool,
        fused: int,
        normalise_fusion: bool,
        up: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(in_channels if index == 0 else channels, channels) for index in range(res_blocks)
        )
        self.attentions = nn.ModuleList(PositionAttention(channels) for _ in range(res_blocks if attention else 0))
        self.fusion = Fusion(fused, channels, normalise_fusion) if fused else None
        self.up = Upsample(channels) if up else None

    def forward(self, x: Tensor, faithful: Tensor | None, fidelity: float | Tensor) -> Tensor:
        """(B, C_in, S, S) -> (B, C, S, S), or 2 S where the level doubles."""
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == 0 and self.fusion is not None and faithful is not None:
                x = self.fusion(x, faithful, fidelity)
            if self.attentions:
                x = self.attentions[index](x)
        return x if self.up is None else self.up(x)
