"""Sampling of sequences that are longer than those in training, by overlapping windows that agree at every step.

All windows are denoised together from one noise of the whole length. At each step the noise predicted for a frame is
the weighted mean of the predictions of all windows that contain the frame (as in MultiDiffusion), and the scheduler
takes one step on the whole sequence. A window's weight rises linearly over the overlap at its inner ends,

    w(i) = min(i + 1, length - i, overlap + 1) / (overlap + 1),

and does not fall at the two ends of the sequence; weights are divided by their sum at each frame. A window thus begins
and ends with a weight near zero, without a seam. Neighbours agree on their overlap from the first step to the last,
unlike finished pieces that are blended afterwards.

A sequence that fits into one window becomes a single window of its own length: the result equals plain sampling.
Otherwise all windows have full length, and the last ones are moved back so that they end with the sequence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2tf.diffusion.prior_injection import Predict

PredictWindows = Callable[[Tensor, Tensor, slice], Tensor]
"""A denoiser of windows: (x_t (N, length, ...), t (N,), rows of `Windows.split`) to ε (N, length, ...)."""


@dataclass(frozen=True)
class Windows:
    """The windows of a sequence.

    Raises:
        ValueError: `frames` or `window` is below 1, or `overlap` is not between 0 and `window` - 1.

    Example:
        >>> Windows(frames=10, window=4, overlap=1).starts
        (0, 3, 6)
    """

    frames: int
    """T, the length of the sequence."""
    window: int
    """Length of the longest window that the denoiser accepts, in frames."""
    overlap: int
    """Least number of frames that neighbouring windows share."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.frames < 1 or self.window < 1 or not 0 <= self.overlap < self.window:
            raise ValueError(
                f"{self.frames} frames in windows of {self.window} with an overlap of {self.overlap}: expected at "
                "least 1 frame, and an overlap from 0 to less than the window"
            )

    @property
    def length(self) -> int:
        """Number of frames in every window: the smaller of `window` and `frames`."""
        return min(self.window, self.frames)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of every window, in order."""
        last = self.frames - self.length
        hop = self.window - self.overlap
        return (*range(0, last, hop), last)

    def split(self, sequence: Tensor) -> Tensor:
        """Cut a sequence (B, T, ...) into windows (B · W, length, ...): all windows of the first row first."""
        pieces = [sequence[:, start : start + self.length] for start in self.starts]
        return torch.stack(pieces, dim=1).flatten(0, 1)

    def split_features(self, features: Tensor) -> Tensor:
        """Cut speech features, two per frame, (B, 2 T, C) into (B · W, 2 · length, C)."""
        pairs = features.reshape(len(features), self.frames, 2 * features.shape[2])
        return self.split(pairs).reshape(-1, 2 * self.length, features.shape[2])

    def first(self, batch: int) -> Tensor:
        """Mask of the rows of `split` that begin with the sequence's first frame, (B · W,) bool."""
        return torch.tensor([start == 0 for start in self.starts]).repeat(batch)

    def join(self, pieces: Tensor) -> Tensor:
        """The weighted mean of windows (B · W, length, ...) at each frame: (B, T, ...)."""
        pieces = pieces.unflatten(0, (-1, len(self.starts)))
        weights = self.weights().to(pieces)
        shape = (1, self.length) + (1,) * (pieces.ndim - 3)
        total = pieces.new_zeros(len(pieces), self.frames, *pieces.shape[3:])
        for index, start in enumerate(self.starts):
            total[:, start : start + self.length] += pieces[:, index] * weights[index].reshape(shape)
        return total

    def weights(self) -> Tensor:
        """The weight of each window at each of its frames, (W, length) float64; they sum to 1 at every frame."""
        position = torch.arange(self.length, dtype=torch.float64)
        full = torch.full_like(position, self.overlap + 1)
        ramps, total = [], torch.zeros(self.frames, dtype=torch.float64)
        for start in self.starts:
            rise = full if start == 0 else position + 1
            fall = full if start + self.length == self.frames else self.length - position
            ramps.append(torch.minimum(torch.minimum(rise, fall), full))
            total[start : start + self.length] += ramps[-1]
        shares = [ramp / total[start : start + self.length] for start, ramp in zip(self.starts, ramps, strict=True)]
        return torch.stack(shares)


def windowed(predict: PredictWindows, windows: Windows, rows_at_once: int = 64) -> Predict:
    """Make a denoiser of whole sequences from a denoiser of windows.

    Args:
        predict: the denoiser of windows; conditions are cut by `Windows.split` beforehand and indexed by `rows`.
        windows: the windows of the sequence.
        rows_at_once: windows in a call, which bounds the memory for long sequences.

    Returns:
        (x_t (B, T, ...), t (B,)) to ε (B, T, ...), for `s2tf.diffusion.sampling.sample`.

    Example:
        >>> predict = windowed(lambda x_t, t, rows: x_t, Windows(frames=10, window=4, overlap=1))
        >>> torch.allclose(predict(noise := torch.rand(2, 10, 3), torch.zeros(2)), noise)
        True
    """

    def predict_whole(x_t: Tensor, t: Tensor) -> Tensor:
        pieces, levels = windows.split(x_t), t.repeat_interleave(len(windows.starts))
        predicted = []
        for first in range(0, len(pieces), rows_at_once):
            rows = slice(first, min(first + rows_at_once, len(pieces)))
            predicted.append(predict(pieces[rows], levels[rows], rows))
        return windows.join(torch.cat(predicted))

    return predict_whole
