"""Colours of codes: the start of a codebook that is trained without CodeFormer's weights."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class CodePatches(nn.Module):
    """Linear maps from patches of the RGB decoder's picture to codes, and from codes back to patches.

    For trainings from scratch, in place of CodeFormer's weights: encoder and generator, whose normalisations take away
    a picture's colours, start with nothing, and learn what they add. The maps start as what they are for: a code begins
    with the means of a patch's cells, as many as it has room for, and the picture of codes shows these cells. The
    fidelity w goes from that picture (0) to the RGB decoder's (1), as the generator's fusion goes from codes to
    latents.

    Args:
        code_dim: length of a code, at least 3: one cell's colour.
        side: side of a patch in pixels.

    Raises:
        ValueError: `code_dim` has no room for a colour.

    Example:
        >>> patches = CodePatches(code_dim=12, side=2)
        >>> picture = torch.rand(1, 3, 6, 6)
        >>> torch.equal(patches.picture(patches.to_code(picture)), picture)
        True
    """

    def __init__(self, code_dim: int, side: int) -> None:
        super().__init__()
        if code_dim < 3:
            raise ValueError(f"code_dim is {code_dim}, expected at least 3 with code_patches: one colour")
        self.to_code = nn.Conv2d(3, code_dim, side, stride=side)
        self.to_cells = nn.Conv2d(code_dim, 3 * side**2, 1)
        self.side = side
        self._start_as_cells()

    @torch.no_grad()
    def _start_as_cells(self) -> None:
        # As many cells in a row as divide the patch and have room in a code.
        room = len(self.to_code.weight) // 3
        cells = max(n for n in range(1, self.side + 1) if self.side % n == 0 and n * n <= room)
        used, of_cell = 3 * cells * cells, self.side // cells
        for parameter in self.parameters():
            parameter.zero_()
        shown = F.interpolate(torch.eye(cells * cells).view(-1, 1, cells, cells), scale_factor=of_cell)[:, 0]
        colours = torch.eye(3)
        self.to_code.weight[:used] = torch.einsum("cd,nyx->cndyx", colours, shown / of_cell**2).flatten(0, 1)
        back = torch.einsum("cd,np->cpdn", colours, shown.flatten(1))
        self.to_cells.weight[:, :used, 0, 0] = back.flatten(2).flatten(0, 1)

    def picture(self, codes: Tensor) -> Tensor:
        """(B, code_dim, S, S) -> (B, 3, S side, S side)."""
        return F.pixel_shuffle(self.to_cells(codes), self.side)
