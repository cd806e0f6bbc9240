"""Pairs of videos, a generated one and its reference, read frame by frame side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, zip_longest

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.sources import VideoSource
from s2tf.faces.crop import resize

MAX_MISMATCH = 1
"""Greatest difference in length of the two videos, in frames: encoders may add or drop the last frame."""
ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class ClipPair:
    """A generated video and its reference."""

    key: str
    generated: VideoSource
    reference: VideoSource


@dataclass(frozen=True)
class FrameRun:
    """Some consecutive frames of a pair."""

    start: int
    """Index of the first frame in the clip."""
    generated: np.ndarray
    """Generated frames (n, S, S, 3) uint8 RGB at the size at which pictures are compared."""
    reference: np.ndarray
    """Reference frames (n, S, S, 3)."""
    generated_frames: tuple[np.ndarray, ...]
    """The same n generated frames at their own size, (H, W, 3) each."""
    reference_frames: tuple[np.ndarray, ...]
    """The same n reference frames at their own size."""

    @cached_property
    def generated_tensor(self) -> Tensor:
        """(n, 3, S, S) uint8."""
        return _channels_first(self.generated)

    @cached_property
    def reference_tensor(self) -> Tensor:
        """(n, 3, S, S) uint8."""
        return _channels_first(self.reference)

    @property
    def compared(self) -> slice:
        """Frames that are compared: all except the clip's first, which is the source."""
        return slice(1 if self.start == 0 else 0, None)


@dataclass
class Alignment:
    """Alignment of the two videos of a pair; complete after all runs were read."""

    frames: int = 0
    """Number of frames that both videos have."""
    generated_size: tuple[int, int] = (0, 0)
    """Height and width of the generated video."""
    reference_size: tuple[int, int] = (0, 0)
    """Height and width of the reference."""
    cut: int = field(default=0)
    """Frames that only the generated video (above 0) or only the reference (below 0) has at the end; they are left out.
    """


class PairError(ValueError):
    """The two videos of a pair cannot be compared."""


def aligned_runs(pair: ClipPair, size: int, count: int, alignment: Alignment) -> Iterator[FrameRun]:
    """Yield the pair's frames of the same index, `count` at a time, in bounded memory.

    Args:
        pair: The two videos.
        size: Side at which they are compared, pixels; both are resized to it (`s2tf.faces.crop.resize`).
        count: Frames of a run.
        alignment: Alignment to fill in.

    Raises:
        PairError: One video is more than `MAX_MISMATCH` frames longer, or they are not the same crop.
        ValueError: A video cannot be read.
    """
    frames = zip_longest(pair.generated.frames(), pair.reference.frames())
    both = _while_both(frames, alignment)
    while part := list(islice(both, count)):
        generated, reference = zip(*part, strict=True)
        if not alignment.frames:
            alignment.generated_size, alignment.reference_size = generated[0].shape[:2], reference[0].shape[:2]
            _check_aspect(pair, alignment)
        yield FrameRun(alignment.frames, _scaled(generated, size), _scaled(reference, size), generated, reference)
        alignment.frames += len(part)
    if abs(alignment.cut) > MAX_MISMATCH:
        longer, shorter = (pair.generated, pair.reference) if alignment.cut > 0 else (pair.reference, pair.generated)
        raise PairError(
            f"{longer.name} is {abs(alignment.cut)} frames longer than {shorter.name}, which has {alignment.frames} at "
            f"25 a second: expected no more than {MAX_MISMATCH}"
        )


def _channels_first(frames: np.ndarray) -> Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()


def _while_both(
    frames: Iterator[tuple[np.ndarray | None, np.ndarray | None]], alignment: Alignment
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the frames that both videos have, and count the others."""
    for generated, reference in frames:
        if generated is not None and reference is not None:
            yield generated, reference
        else:
            alignment.cut += 1 if reference is None else -1


def _check_aspect(pair: ClipPair, alignment: Alignment) -> None:
    (height, width), (reference_height, reference_width) = alignment.generated_size, alignment.reference_size
    ratio = width / height * reference_height / reference_width
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        raise PairError(
            f"{pair.generated.name} is {width}x{height} pixels and {pair.reference.name} "
            f"{reference_width}x{reference_height}: expected the same crop"
        )


def _scaled(frames: tuple[np.ndarray, ...], size: int) -> np.ndarray:
    return np.stack([resize(frame, size) for frame in frames])
