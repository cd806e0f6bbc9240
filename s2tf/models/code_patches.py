"""A mosaic of codes: the start of a codebook that is trained without CodeFormer's weights."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class CodePatches(nn.Module):
    """Linear maps from patches of the RGB decoder's picture to codes, and from codes to patches of the picture.

    For trainings from scratch, in place of CodeFormer's weights: encoder and generator, whose normalisations take away
    a picture's colours, start with nothing, and learn what they add. The maps start as what they are for: a code begins
    with the means of a patch's cells, as many as it has room for, and the mosaic shows these cells. The fidelity w goes
    from the mosaic (0) to the RGB decoder's enlarged picture (1), as the generator's fusion goes from codes to latents.

    Args:
        code_dim: length of a code, at least 3: one cell's colour.
        side_in: side of a patch of the RGB decoder's picture in pixels.
        side_out: side of a patch of the mosaic in pixels.

    Raises:
        ValueError: `code_dim` has no room for a colour.

    Example:
        >>> patches = CodePatches(code_dim=12, side_in=2, side_out=4)
        >>> picture = torch.rand(1, 3, 6, 6)
        >>> torch.equal(patches.picture(patches.to_code(picture)), F.interpolate(picture, scale_factor=2.0))
        True
    """

    def __init__(self, code_dim: int, side_in: int, side_out: int) -> None:
        super().__init__()
        if code_dim < 3:
            raise ValueError(f"code_dim is {code_dim}, expected at least 3 with code_patches: one colour")
        self.to_code = nn.Conv2d(3, code_dim, side_in, stride=side_in)
        self.to_picture = nn.Conv2d(code_dim, 3 * side_out**2, 1)
        self.side = side_out
        self._start_as_mosaic(side_in)

    @torch.no_grad()
    def _start_as_mosaic(self, side_in: int) -> None:
        # As many cells in a row as divide the patch and have room in a code.
        side = max(n for n in range(1, side_in + 1) if side_in % n == 0 and 3 * n * n <= len(self.to_code.weight))
        for parameter in self.parameters():
            parameter.zero_()
        cells, colours, used = torch.eye(side * side).view(-1, 1, side, side), torch.eye(3), 3 * side * side
        means = F.interpolate(cells, scale_factor=side_in // side)[:, 0] / (side_in // side) ** 2
        shown = F.interpolate(cells, scale_factor=self.side // side).flatten(1)
        self.to_code.weight[:used] = torch.einsum("cd,nyx->cndyx", colours, means).flatten(0, 1)
        self.to_picture.weight[:, :used, 0, 0] = torch.einsum("cd,np->cpdn", colours, shown).flatten(2).flatten(0, 1)

    def picture(self, codes: Tensor) -> Tensor:
        """(B, code_dim, S, S) -> (B, 3, R, R)."""
        return F.pixel_shuffle(self.to_picture(codes), self.side)
