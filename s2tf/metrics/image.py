"""PSNR and SSIM of frames against the reference, measured in float and frame by frame."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure

FRAMES_AT_ONCE = 16
"""Frames that a network reads at once, so that memory does not grow with a clip's length."""
MSE_FLOOR = 1e-10
"""Least mean squared error: equal frames count as 100 dB, since an infinite value would make the mean infinite."""


def unit_range(frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W), uint8 in 0..255 or float in [-1, 1], as float32 in [0, 1].

    Convert before any subtraction: a difference of uint8 values wraps around, and the PSNR of the result is near
    28-30 dB whatever the pictures are.

    Raises:
        ValueError: The frames have another type.

    Example:
        >>> unit_range(torch.tensor([0, 51, 255], dtype=torch.uint8)), unit_range(torch.tensor([-1.0, 0.0]))
        (tensor([0.0000, 0.2000, 1.0000]), tensor([0.0000, 0.5000]))
    """
    if frames.dtype == torch.uint8:
        return frames.float() / 255
    if frames.is_floating_point():
        return (frames.float().clamp(-1, 1) + 1) / 2
    raise ValueError(f"frames of {frames.dtype}: expected uint8 in 0..255 or float in [-1, 1]")


def check_bytes(frames: Tensor) -> None:
    """Refuses frames that are not (N, 3, H, W) uint8.

    Raises:
        ValueError: The frames have another shape or type.
    """
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"frames {tuple(frames.shape)} of {frames.dtype}: expected uint8 (N, 3, H, W)")


def check_shapes(preds: Tensor, target: Tensor) -> None:
    """Refuses frames that are not (N, 3, H, W), or whose shapes differ.

    Raises:
        ValueError: The frames have other shapes.
    """
    if preds.shape != target.shape or preds.ndim != 4:
        raise ValueError(f"frames {tuple(preds.shape)} against {tuple(target.shape)}: expected equal (N, 3, H, W)")


def psnr(preds: Tensor, target: Tensor) -> Tensor:
    """(N,) peak signal-to-noise ratio in dB of each frame, peak 1, capped at 100 dB.

    Args:
        preds: (N, 3, H, W), uint8 or float in [-1, 1].
        target: The reference, likewise.

    Example:
        >>> black, white = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
        >>> psnr(black, black).tolist(), psnr(black, white).abs().tolist()
        ([100.0], [0.0])
    """
    check_shapes(preds, target)
    mse = (unit_range(preds).double() - unit_range(target).double()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(mse.clamp_min(MSE_FLOOR))


def ssim(preds: Tensor, target: Tensor) -> Tensor:
    """(N,) structural similarity of each frame: Gaussian window of 11, sigma 1.5, data range 1.

    The mean is over the whole picture, whose border is reflected; scikit-image leaves out the five outermost pixels.

    Args:
        preds: (N, 3, H, W), uint8 or float in [-1, 1].
        target: The reference, likewise.

    Example:
        >>> frames = torch.linspace(-1, 1, 768).reshape(1, 3, 16, 16)
        >>> round(float(ssim(frames, frames)), 4)
        1.0
    """
    check_shapes(preds, target)
    # This layout gives the same bits in a third of the time on a CPU.
    one, other = (unit_range(each).contiguous(memory_format=torch.channels_last) for each in (preds, target))
    values = structural_similarity_index_measure(
        one, other, data_range=1.0, sigma=1.5, kernel_size=11, reduction="none"
    )
    # The function returns one tensor unless the full image or the contrast is requested.
    assert isinstance(values, Tensor)
    return values.reshape(-1)


class FrameQuality(Metric):
    """Mean of the frames' PSNR in dB and of their SSIM: `{"psnr": ..., "ssim": ...}`.

    Example:
        >>> metric, frames = FrameQuality(), torch.linspace(-1, 1, 768).reshape(1, 3, 16, 16)
        >>> metric.update(frames, frames)
        >>> {name: round(float(value), 4) for name, value in metric.compute().items()}
        {'psnr': 100.0, 'ssim': 1.0}
    """

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

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds frames (N, 3, H, W) and their reference, uint8 or float in [-1, 1].

        Raises:
            ValueError: The shapes differ.
        """
        self.psnr_sum += psnr(preds, target).sum()
        self.ssim_sum += ssim(preds, target).double().sum()
        self.frames += len(preds)

    def compute(self) -> dict[str, Tensor]:
        """The two means over all frames."""
        return {"psnr": self.psnr_sum / self.frames, "ssim": self.ssim_sum / self.frames}

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            "psnr": "mean of the frames' dB, in float, peak 1, capped at 100 dB",
            "ssim": "Gaussian window 11, sigma 1.5, data range 1, border reflected, mean over frames",
            "frames": int(self.frames),
        }
