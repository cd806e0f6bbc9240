"""What a stage can show of what it has learned: the contract between the stages and the callback that keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class SampleVideo:
    """Videos of one clip to be seen beside each other, with its sound."""

    frames: Mapping[str, Tensor]
    """(T, 3, H, W) in about [-1, 1] by name, equally many of one size, 25 a second; from left to right."""
    waveform: Tensor | None = None
    """(S,) 16 kHz mono in [-1, 1]."""


@dataclass(frozen=True)
class Samples:
    """What a stage shows of N examples."""

    keys: Sequence[str] = ()
    """Of the N clips."""
    images: Mapping[str, Tensor] = field(default_factory=dict)
    """(N, 3, H, W) in about [-1, 1], by name, such as `true` and `generated`."""
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    """(N, rows, columns) of any values, such as a spectrogram or motion codes over time; row 0 is drawn at the bottom,
    and maps of one prefix (`codes/true`, `codes/generated`) in one scale."""
    videos: Sequence[SampleVideo] = ()
    waveforms: Tensor | None = None
    """(N, S) 16 kHz mono in [-1, 1]: what the examples sound like, where no video says it."""
