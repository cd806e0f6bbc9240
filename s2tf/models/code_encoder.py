"""Encoder of the refined latents to the map that the codebook quantises (before Eq. 18)."""

from collections.abc import Mapping, Sequence

import torch.nn as nn
from torch import Tensor

from s2tf.models.codeformer import EncoderLevel, FaceCodeEncoder, encoder_tail


class CodeEncoder(nn.Module):
    """CodeFormer's encoder from `sides[0]` on, which reads the latents of every side in place of a picture.

    The finest latents enter by a 3x3 convolution; coarser ones are added, at first with the weight zero. A single 1x1
    convolution of the latents at the codes' own side, the other choice, sees only what the warper left there: the
    picture's content lies in the finest latents, which start as its colours.

    Args:
        latents: width of the latents by side, from fine to coarse; the last side is the codes'.
        code_dim: length of a code.
        widths: width behind the entrance, then at each side; CodeFormer's are 64, then 128, 128, 256, 256, 512.
        res_blocks: residual blocks per side.
        attention: attention over the codes' places, as in CodeFormer.

    Raises:
        ValueError: `widths` does not have one entry more than there are sides.
    """

    def __init__(
        self, latents: Mapping[int, int], code_dim: int, widths: Sequence[int], res_blocks: int, attention: bool = True
    ) -> None:
        super().__init__()
        self.sides = list(latents)
        if len(widths) != len(self.sides) + 1:
            raise ValueError(
                f"code_widths has {len(widths)} numbers, expected {len(self.sides) + 1}: the entrance's, then one per "
                f"side in {self.sides}"
            )
        first, *added = latents.values()
        self.entrance = nn.Conv2d(first, widths[0], 3, padding=1)
        self.added = nn.ModuleList(nn.Conv2d(own, width, 1) for own, width in zip(added, widths[1:-1], strict=True))
        for convolution in self.added:
            nn.init.zeros_(convolution.weight)  # type: ignore[arg-type]
        last = len(self.sides) - 1
        self.levels = nn.ModuleList(
            EncoderLevel(widths[index], width, res_blocks, attention and index == last, down=index > 0)
            for index, width in enumerate(widths[1:])
        )
        self.tail = encoder_tail(widths[-1], code_dim, attention)

    def forward(self, latents: Mapping[int, Tensor]) -> Tensor:
        """Latents (B, C_side, side, side) by side -> (B, code_dim, S, S)."""
        x = self.levels[0](self.entrance(latents[self.sides[0]]))
        for side, added, level in zip(self.sides[1:], self.added, list(self.levels)[1:], strict=True):
            x = level(x, added(latents[side]))
        return self.tail(x)

    def start_from(self, encoder: FaceCodeEncoder) -> None:
        """Take over the weights of CodeFormer's encoder, except the levels that are finer than the latents.

        Raises:
            RuntimeError: the sizes differ.
        """
        missing = len(encoder.levels) - len(self.levels)
        own = dict(self.levels[0].state_dict())
        for ours, theirs in zip(self.levels, list(encoder.levels)[missing:], strict=True):
            state = theirs.state_dict()
            # Our finest level has no halving before it.
            ours.load_state_dict(
                {name: value for name, value in state.items() if ours is not self.levels[0] or name in own}
            )
        self.tail.load_state_dict(encoder.tail.state_dict())
