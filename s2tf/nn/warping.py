"""Backward warping of feature maps by a flow in normalised coordinates."""

from typing import Literal

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

WarpConvention = Literal["consistent", "lia"]


def identity_grid(side: int, convention: WarpConvention) -> Tensor:
    """The sampling positions (x, y) of a zero flow, (1, side, side, 2) in [-1, 1].

    "consistent" gives the pixels' centres, exact in float32 if `side` is a power of two. "lia" gives -1 and 1 for the
    outermost pixels, as in the training of LIA's weights, although its sampling reads -1 and 1 as the borders.

    Example:
        >>> identity_grid(2, "consistent")[0, 0].tolist()
        [[-0.5, -0.5], [0.5, -0.5]]
    """
    if convention == "consistent":
        line = (2 * torch.arange(side, dtype=torch.float32) + 1) / side - 1
    elif convention == "lia":
        line = torch.linspace(-1, 1, side)
    else:
        raise ValueError(f"convention is {convention!r}, expected 'consistent' or 'lia'")
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).unsqueeze(0)


class Warp(nn.Module):
    """The operation tau of Eq. 12 on maps of one size, by bilinear sampling.

    Args:
        side: side of the maps in pixels.
        convention: "consistent": a zero flow is the identity, and positions outside take the border's value;
            "lia": LIA's convention, in which a zero flow shrinks by half a pixel and outside is zero.

    Example:
        >>> picture = torch.rand(1, 3, 8, 8)
        >>> torch.allclose(Warp(8)(picture, torch.zeros(1, 2, 8, 8)), picture)
        True
    """

    grid: Tensor

    def __init__(self, side: int, convention: WarpConvention = "consistent") -> None:
        super().__init__()
        self.padding: str = "border" if convention == "consistent" else "zeros"
        self.register_buffer("grid", identity_grid(side, convention), persistent=False)

    def forward(self, features: Tensor, flow: Tensor) -> Tensor:
        """Sample (B, C, S, S) features at grid + flow; the flow (B, 2, S, S) holds x and y, 2 being the whole side."""
        positions = self.grid + flow.float().permute(0, 2, 3, 1)
        # Sampling positions need more bits than half precision has.
        with torch.autocast(features.device.type, enabled=False):
            warped = F.grid_sample(
                features.float(), positions, mode="bilinear", padding_mode=self.padding, align_corners=False
            )
        return warped.to(features.dtype)
