"""How sharp a picture is: the energy of its gradient, and the share of its edges that no eye sees as blurred (CPBD)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from s2tf.metrics.image import FRAMES_AT_ONCE, unit_range

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601."""
BLOCK = 64
"""Pixels."""
EDGE_SHARE = 0.002
"""Of a block's pixels: a block with fewer edge pixels is smooth and does not count."""
CONTRAST = 50 / 255
"""Of a block: where its luma has at most this range, wider edges go unnoticed."""
WIDTHS = (5, 3)
"""Of an edge whose blur is just noticed, in pixels, at low and at high contrast."""
EDGE_FACTOR = 4.0
"""Times the picture's mean squared gradient: what an edge has at least."""


def gradient_energy(frames: Tensor) -> Tensor:
    """(N,) mean squared difference of neighbouring pixels' luma, across and down; noise raises it as detail does.

    Args:
        frames: (N, 3, H, W), uint8 or float in [-1, 1].
    """
    luma = _luma(frames)
    return luma.diff(dim=-1).square().mean((1, 2)) + luma.diff(dim=-2).square().mean((1, 2))


def cpbd(frames: Tensor) -> Tensor:
    """(N,) cumulative probability of blur detection in [0, 1] (Narvekar and Karam 2011), higher is sharper.

    The probability that an edge of width w is seen as blurred is 1 - exp(-(w / w_jnb)^3.6), 63 % at the just noticeable
    width w_jnb; the measure is the share of edge pixels at or below 63 %, that is of those with w <= w_jnb. An edge's
    width is the length of the run along its row in which the luma only rises or only falls. What the authors leave to
    their library, the finding of edges, is ours: pixels whose horizontal Sobel gradient is the largest of its
    neighbours in the row and whose gradient's square is four times the picture's mean. Published values of other
    programs are therefore near but not equal. Noise makes edges short, so that a noisy picture counts as sharper than
    the same without noise: what this says of blur holds among pictures without noise. 0 where there is no edge.

    Args:
        frames: (N, 3, H, W), uint8 or float in [-1, 1].
    """
    luma = _luma(frames)
    edges, rising = _edges(luma)
    edges &= _per_pixel(_pooled(edges.float(), F.avg_pool2d) > EDGE_SHARE, luma)
    contrast = _pooled(luma, F.max_pool2d) + _pooled(-luma, F.max_pool2d)
    # Half a grey level, since luma is not of whole ones.
    low = _per_pixel(contrast <= CONTRAST + 0.5 / 255, luma)
    sharp = _widths(luma, rising) <= torch.where(low, *WIDTHS)
    return (edges & sharp).sum((1, 2)).double() / edges.sum((1, 2)).clamp_min(1)


class Sharpness(Metric):
    """Means over frames of `cpbd` and `gradient_energy`, by name; one of these is for made, another for true frames.

    Both fall with blur and rise with noise: a value above the true frames' is no sharper picture but a noisier one.
    """

    full_state_update = False
    cpbd_sum: Tensor
    energy_sum: Tensor
    frames: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("cpbd_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("energy_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, frames: Tensor) -> None:
        """Add (N, 3, H, W) frames, uint8 or float in [-1, 1]."""
        for some in frames.split(FRAMES_AT_ONCE):
            self.cpbd_sum += cpbd(some).sum()
            self.energy_sum += gradient_energy(some).double().sum()
        self.frames += len(frames)

    def compute(self) -> dict[str, Tensor]:
        """The two means over all frames seen."""
        return {"cpbd": self.cpbd_sum / self.frames, "gradient_energy": self.energy_sum / self.frames}

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers were measured."""
        return {
            "cpbd": f"luma, widths along rows, blocks of {BLOCK} px, just noticeable at {WIDTHS[1]} px, {WIDTHS[0]} px "
            "in blocks of contrast to 50; edges by Sobel",
            "gradient_energy": "luma in [0, 1], squared differences of neighbours across and down",
            "frames": int(self.frames),
        }


def _luma(frames: Tensor) -> Tensor:
    """(N, H, W) in [0, 1]."""
    return (unit_range(frames) * torch.tensor(LUMA, device=frames.device).view(1, 3, 1, 1)).sum(1)


def _edges(luma: Tensor) -> tuple[Tensor, Tensor]:
    """(N, H, W) bool: where edges across rows are, and where the luma rises to the right."""
    smooth, step = luma.new_tensor([1.0, 2.0, 1.0]), luma.new_tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([torch.outer(smooth, step), torch.outer(step, smooth)])[:, None]
    across, down = F.conv2d(F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate"), kernels).unbind(1)
    strength = across.square() + down.square()
    size = across.abs()
    before, behind = F.pad(size, (1, 1))[..., :-2], F.pad(size, (1, 1))[..., 2:]
    # Of two equal neighbours the first is the edge.
    thin = (size > before) & (size >= behind)
    return thin & (strength > EDGE_FACTOR * strength.mean((1, 2), keepdim=True)), across > 0


def _widths(luma: Tensor, rising: Tensor) -> Tensor:
    """(N, H, W) the steps of the run through a pixel in which the luma only rises, or only falls where not `rising`."""
    sign = luma.diff(dim=-1).sign()
    begins = torch.ones_like(sign, dtype=torch.bool)
    begins[..., 1:] = sign[..., 1:] != sign[..., :-1]
    run = begins.flatten().cumsum(0) - 1
    length = run.bincount()[run].view_as(sign)
    widths = torch.zeros_like(luma, dtype=torch.int64)
    for side in (slice(1, None), slice(None, -1)):
        # The step before a pixel and the one behind it.
        along = sign == torch.where(rising[..., side], 1.0, -1.0)
        widths[..., side] = torch.maximum(widths[..., side], length * along)
    return widths


def _pooled(values: Tensor, pool: Any) -> Tensor:
    """(N, blocks down, blocks across); blocks at the border may be smaller."""
    return pool(values[:, None], BLOCK, ceil_mode=True)[:, 0]


def _per_pixel(blocks: Tensor, luma: Tensor) -> Tensor:
    """Each block's value at all of its pixels, (N, H, W)."""
    height, width = luma.shape[-2:]
    return blocks.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[:, :height, :width]
