"""Silence in training sequences, so that the lips learn to close when the speech stops.

Recordings of speech have pauses, but rarely digital or long silence. A network trained without such silence keeps the
mouth moving through it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2tf.nn.lips import mouth_opening

CLOSING = 4
"""Frames over which the lips close and open again: 0.16 s."""
LEAST_SHARE = 0.2
"""Least share of the window that a silence takes."""
NOISE = 1e-3
"""Greatest amplitude of the noise that stands for silence, relative to full scale: -60 dB."""


@dataclass(frozen=True)
class Silence:
    """The silent frames of a batch."""

    mask: Tensor
    """(B, T) 1 where silent, 0 elsewhere."""

    @classmethod
    def sample(cls, rows: int, frames: int, share: float, device: torch.device | str = "cpu") -> "Silence":
        """Sample a silence of at least a fifth of the window in a share of the rows, by the global generator."""
        length = frames * (LEAST_SHARE + (1 - LEAST_SHARE) * torch.rand(rows, device=device))
        start = (frames - length) * torch.rand(rows, device=device)
        chosen = torch.rand(rows, device=device) < share
        frame = torch.arange(frames, device=device) + 0.5
        inside = (frame >= start[:, None]) & (frame < (start + length)[:, None])
        return cls((inside & chosen[:, None]).float())

    def waveform(self, waveform: Tensor) -> Tensor:
        """The waveforms (B, T * 640) with inaudible noise, or digital silence, in place of the speech."""
        mask = self.mask.repeat_interleave(waveform.shape[1] // self.mask.shape[1], dim=1).to(waveform)
        level = NOISE * torch.rand(len(waveform), 1).to(waveform)
        # Half of the silences are digital.
        level = level * (torch.rand_like(level) < 0.5)
        return torch.lerp(waveform, level * torch.randn_like(waveform), mask)

    def features(self, features: Tensor, silent: Tensor) -> Tensor:
        """The features (B, 2 T, C) with those of silence, (2 T, C), in place of the speech's."""
        mask = self.mask.repeat_interleave(2, dim=1)[..., None].to(features)
        return torch.lerp(features, silent.to(features).expand_as(features), mask)

    def lips(self, lips: Tensor) -> Tensor:
        """Move the lips (B, T, 20, D) during silence to the most closed lips of their row, within `CLOSING` frames."""
        return self.closed(lips, lips)

    def closed(self, points: Tensor, lips: Tensor) -> Tensor:
        """Move points (B, T, P, D) during silence to their places in the row's frame with the most closed `lips`."""
        closest = mouth_opening(lips).argmin(dim=1)
        rest = points[torch.arange(len(points), device=points.device), closest][:, None]
        return torch.lerp(points, rest.expand_as(points), self._closing()[..., None, None].to(points))

    def _closing(self) -> Tensor:
        """The mask with ramps inside it: a mouth closes after the sound has ended, and opens before it begins."""
        kernel = self.mask.new_ones(1, 1, CLOSING) / CLOSING
        # Outside the window, the mask continues with its value at the edge.
        padded = torch.nn.functional.pad(self.mask[:, None], (CLOSING // 2, CLOSING - 1 - CLOSING // 2), "replicate")
        smooth = torch.nn.functional.conv1d(padded, kernel)[:, 0]
        return torch.minimum((2 * smooth - 1).clamp_min(0), self.mask)
