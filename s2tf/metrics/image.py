"""PSNR and SSIM of frames against the true ones, measured in float and frame by frame."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure

FRAMES_AT_ONCE = 16
"""That a network reads: the memory of a clip must not grow with its length."""
MSE_FLOOR = 1e-10
"""Equal frames count as 100 dB: an infinite frame would swallow the mean."""


def unit_range(frames: Tensor) -> Tensor:
    """(N, 3, H, W) uint8 in 0..255 or float in [-1, 1] as float32 in [0, 1].

    The conversion comes before any subtraction: a difference of uint8 wraps around, and the PSNR of what is left lies
    near 28-30 dB whatever the pictures are.

    Raises:
        ValueError: another type of number.
    """
    if frames.dtype == torch.uint8:
        return frames.float() / 255
    if frames.is_floating_point():
        return (frames.float().clamp(-1, 1) + 1) / 2
    raise ValueError(f"frames of {frames.dtype}: expected uint8 in 0..255 or float in [-1, 1]")


def check_bytes(frames: Tensor) -> None:
    """Refuse frames that are not (N, 3, H, W) uint8.

    Raises:
        ValueError: they are others.
    """
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"frames {tuple(frames.shape)} of {frames.dtype}: expected uint8 (N, 3, H, W)")


def check_shapes(frames: Tensor, true: Tensor) -> None:
    """Refuse frames that are not (N, 3, H, W) in equal shapes.

    Raises:
        ValueError: they are others.
    """
    if frames.shape != true.shape or frames.ndim != 4:
        raise ValueError(f"frames {tuple(frames.shape)} against {tuple(true.shape)}: expected equal (N, 3, H, W)")


def psnr(frames: Tensor, true: Tensor) -> Tensor:
    """(N,) peak signal-to-noise ratio in dB of each frame, peak 1, capped at 100 dB."""
    check_shapes(frames, true)
    mse = (unit_range(frames).double() - unit_range(true).double()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(mse.clamp_min(MSE_FLOOR))


def ssim(frames: Tensor, true: Tensor) -> Tensor:
    """(N,) structural similarity of each frame: Gaussian window of 11, sigma 1.5, data range 1.

    The mean is over the whole picture, whose border is reflected; scikit-image leaves out the five outermost pixels.
    """
    check_shapes(frames, true)
    # The same bits in this layout, in a third of the time on a CPU.
    one, other = (unit_range(each).contiguous(memory_format=torch.channels_last) for each in (frames, true))
    values = structural_similarity_index_measure(
        one, other, data_range=1.0, sigma=1.5, kernel_size=11, reduction="none"
    )
    # One tensor, since neither the full image nor the contrast was asked for.
    assert isinstance(values, Tensor)
    return values.reshape(-1)


class FrameQuality(Metric):
    """Mean of the frames' PSNR in dB and of their SSIM: `{"psnr": ..., "ssim": ...}`."""

    full_state_update = False
    higher_is_better = True
    psnr_sum: Tensor
    ssim_sum: Tensor
    frames: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("psnr_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("ssim_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, frames: Tensor, true: Tensor) -> None:
        """Add (N, 3, H, W) frames and the true ones, uint8 or float in [-1, 1].

        Raises:
            ValueError: the shapes differ.
        """
        self.psnr_sum += psnr(frames, true).sum()
        self.ssim_sum += ssim(frames, true).double().sum()
        self.frames += len(frames)

    def compute(self) -> dict[str, Tensor]:
        """The two means over all frames seen."""
        return {"psnr": self.psnr_sum / self.frames, "ssim": self.ssim_sum / self.frames}

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers were measured."""
        return {
            "psnr": "mean of the frames' dB, in float, peak 1, capped at 100 dB",
            "ssim": "Gaussian window 11, sigma 1.5, data range 1, border reflected, mean over frames",
            "frames": int(self.frames),
        }
