"""Previews of a stage's progress: the contract between the stages and the callbacks that save and log them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class SampleVideo:
    """Videos of one clip, shown side by side with its sound."""

    frames: Mapping[str, Tensor]
    """(T, 3, H, W) in about [-1, 1] by name, from left to right; of one length and size, 25 frames a second."""
    waveform: Tensor | None = None
    """(S,) 16 kHz mono in [-1, 1]."""


@dataclass(frozen=True)
class Samples:
    """A stage's preview of N examples."""

    keys: Sequence[str] = ()
    """Keys of the N clips."""
    images: Mapping[str, Tensor] = field(default_factory=dict)
    """(N, 3, H, W) in about [-1, 1], by name, such as `true` and `generated`."""
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    """(N, rows, columns) of any values, such as a spectrogram or motion codes over time. Row 0 is shown at the bottom;
    maps with the same prefix (`codes/true`, `codes/generated`) share one scale."""
    videos: Sequence[SampleVideo] = ()
    waveforms: Tensor | None = None
    """(N, S) 16 kHz mono in [-1, 1]: the examples' sound, where no video carries it."""
