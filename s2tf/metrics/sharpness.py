"""Sharpness of pictures: energy of the gradient, and share of the edges that do not look blurred (CPBD)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from s2tf.metrics.image import FRAMES_AT_ONCE, unit_range

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (Rec. 601)."""
BLOCK = 64
"""Side of a block in pixels."""
EDGE_SHARE = 0.002
"""Least share of edge pixels of a block that counts; other blocks are smooth."""
CONTRAST = 50 / 255
"""Largest range of a block's luma that is low contrast, where wider edges go unnoticed."""
WIDTHS = (5, 3)
"""Widths of an edge whose blur is just noticeable, in pixels, at low and at high contrast."""
EDGE_FACTOR = 4.0
"""Least squared gradient of an edge, as a multiple of the picture's mean squared gradient."""


def gradient_energy(frames: Tensor) -> Tensor:
    """(N,) mean squared difference of neighbouring pixels' luma, across and down; noise raises it as detail does.

    Args:
        frames: (N, 3, H, W), uint8 or float in [-1, 1].

    Example:
        >>> steps = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 3, 4, 4) * 2 - 1
        >>> round(float(gradient_energy(steps)), 4)
        1.0
    """
    luma = _luma(frames)
    return luma.diff(dim=-1).square().mean((1, 2)) + luma.diff(dim=-2).square().mean((1, 2))


def cpbd(frames: Tensor) -> Tensor:
    """(N,) cumulative probability of blur detection in [0, 1] (Narvekar and Karam 2011), higher is sharper.

    The probability that an edge of width w looks blurred is 1 - exp(-(w / w_jnb)^3.6), which is 63 % at the just
    noticeable width w_jnb. The measure is the share of edge pixels at or below 63 %, that is with w <= w_jnb. The width
    of an edge is the length of the run along its row in which the luma only rises or only falls.

    The authors use a library to find edges. Here an edge is a pixel whose horizontal Sobel gradient is
    the largest among its neighbours in the row, and whose squared gradient is at least four times the picture's mean.
    Values of other programs are therefore close but not equal. Noise shortens edges, so that a noisy picture counts as
    sharper: compare only pictures without noise. The measure is 0 where there is no edge.

    Args:
        frames: (N, 3, H, W), uint8 or float in [-1, 1].

    Example:
        >>> edge = torch.ones(1, 3, 64, 64)
        >>> edge[..., :32] = -1
        >>> float(cpbd(edge))
        1.0
    """
    luma = _luma(frames)
    edges, rising = _edges(luma)
    edges &= _per_pixel(_pooled(edges.float(), F.avg_pool2d) > EDGE_SHARE, luma)
    contrast = _pooled(luma, F.max_pool2d) + _pooled(-luma, F.max_pool2d)
    # Half a grey level more, since luma is not a whole number of grey levels.
    low = _per_pixel(contrast <= CONTRAST + 0.5 / 255, luma)
    sharp = _widths(luma, rising) <= torch.where(low, *WIDTHS)
    return (edges & sharp).sum((1, 2)).double() / edges.sum((1, 2)).clamp_min(1)


class Sharpness(Metric):
    """Means over frames of `cpbd` and `gradient_energy`; use one metric for generated and another for reference frames.

    Both fall with blur and rise with noise: a value above that of the reference means noise rather than sharpness.

    Example:
        >>> metric = Sharpness()
        >>> metric.update(torch.zeros(2, 3, 64, 64))
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'cpbd': 0.0, 'gradient_energy': 0.0}
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
        """Adds frames (N, 3, H, W), uint8 or float in [-1, 1]."""
        for some in frames.split(FRAMES_AT_ONCE):
            self.cpbd_sum += cpbd(some).sum()
            self.energy_sum += gradient_energy(some).double().sum()
        self.frames += len(frames)

    def compute(self) -> dict[str, Tensor]:
        """The two means over all frames."""
        return {"cpbd": self.cpbd_sum / self.frames, "gradient_energy": self.energy_sum / self.frames}

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            "cpbd": f"luma, widths along rows, blocks of {BLOCK} px, just noticeable at {WIDTHS[1]} px, {WIDTHS[0]} px "
            "in blocks of contrast to 50; edges by Sobel",
            "gradient_energy": "luma in [0, 1], squared differences of neighbours across and down",
            "frames": int(self.frames),
        }


def _luma(frames: Tensor) -> Tensor:
    """Luma (N, H, W) in [0, 1]."""
    return (unit_range(frames) * torch.tensor(LUMA, device=frames.device).view(1, 3, 1, 1)).sum(1)


def _edges(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Masks (N, H, W) of the edges across rows, and of the pixels where the luma rises to the right."""
    smooth, step = luma.new_tensor([1.0, 2.0, 1.0]), luma.new_tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([torch.outer(smooth, step), torch.outer(step, smooth)])[:, None]
    across, down = F.conv2d(F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate"), kernels).unbind(1)
    strength = across.square() + down.square()
    size = across.abs()
    before, behind = F.pad(size, (1, 1))[..., :-2], F.pad(size, (1, 1))[..., 2:]
    # The first of two equal neighbours is the edge.
    thin = (size > before) & (size >= behind)
    return thin & (strength > EDGE_FACTOR * strength.mean((1, 2), keepdim=True)), across > 0


def _widths(luma: Tensor, rising: Tensor) -> Tensor:
    """(N, H, W) lengths of the runs through each pixel in which the luma only rises, or only falls if not `rising`."""
    sign = luma.diff(dim=-1).sign()
    begins = torch.ones_like(sign, dtype=torch.bool)
    begins[..., 1:] = sign[..., 1:] != sign[..., :-1]
    run = begins.flatten().cumsum(0) - 1
    length = run.bincount()[run].view_as(sign)
    widths = torch.zeros_like(luma, dtype=torch.int64)
    for side in (slice(1, None), slice(None, -1)):
        # The steps before and after each pixel.
        along = sign == torch.where(rising[..., side], 1.0, -1.0)
        widths[..., side] = torch.maximum(widths[..., side], length * along)
    return widths


def _pooled(values: Tensor, pool: Any) -> Tensor:
    """Pooled values (N, blocks down, blocks across); blocks at the border may be smaller."""
    return pool(values[:, None], BLOCK, ceil_mode=True)[:, 0]


def _per_pixel(blocks: Tensor, luma: Tensor) -> Tensor:
    """The value of each block at all of its pixels, (N, H, W)."""
    height, width = luma.shape[-2:]
    return blocks.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[:, :height, :width]
