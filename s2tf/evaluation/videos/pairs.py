"""Pairs of videos, a generated one and the true one, given frame by frame side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, zip_longest

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.videos.sources import VideoSource
from s2tf.faces.crop import resize

MAX_MISMATCH = 1
"""Frames that one video may be longer than the other: encoders add or drop the last one."""
ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class ClipPair:
    """What one system made of a clip, and the clip."""

    key: str
    made: VideoSource
    true: VideoSource


@dataclass(frozen=True)
class FrameRun:
    """Some consecutive frames of a pair."""

    start: int
    """Index of the first of them in the clip."""
    made: np.ndarray
    """(n, S, S, 3) uint8 RGB at the size at which pictures are compared."""
    true: np.ndarray
    made_frames: tuple[np.ndarray, ...]
    """The same n frames at their own size, (H, W, 3) each."""
    true_frames: tuple[np.ndarray, ...]

    @cached_property
    def made_tensor(self) -> Tensor:
        """(n, 3, S, S) uint8."""
        return _channels_first(self.made)

    @cached_property
    def true_tensor(self) -> Tensor:
        """(n, 3, S, S) uint8."""
        return _channels_first(self.true)

    @property
    def compared(self) -> slice:
        """Of the frames, those that are compared: all but the clip's first, which is the source."""
        return slice(1 if self.start == 0 else 0, None)


@dataclass
class Alignment:
    """How the two videos of a pair lie beside each other; complete once all runs are read."""

    frames: int = 0
    """In both."""
    made_size: tuple[int, int] = (0, 0)
    """Height and width."""
    true_size: tuple[int, int] = (0, 0)
    cut: int = field(default=0)
    """Frames that only the generated (above 0) or only the true video (below 0) has at the end; they are left out."""


class PairError(ValueError):
    """The two videos of a pair cannot be compared."""


def aligned_runs(pair: ClipPair, size: int, count: int, alignment: Alignment) -> Iterator[FrameRun]:
    """The pair's frames of the same index, `count` at a time, in bounded memory.

    Args:
        pair: The two videos.
        size: Side at which they are compared, pixels; both are brought to it (`s2tf.faces.crop.resize`).
        count: Frames of a run.
        alignment: Is filled in.

    Raises:
        PairError: One is more than `MAX_MISMATCH` frames longer, or they are not the same crop.
        ValueError: One cannot be read.
    """
    frames = zip_longest(pair.made.frames(), pair.true.frames())
    both = _while_both(frames, alignment)
    while part := list(islice(both, count)):
        made, true = zip(*part, strict=True)
        if not alignment.frames:
            alignment.made_size, alignment.true_size = made[0].shape[:2], true[0].shape[:2]
            _check_aspect(pair, alignment)
        yield FrameRun(alignment.frames, _scaled(made, size), _scaled(true, size), made, true)
        alignment.frames += len(part)
    if abs(alignment.cut) > MAX_MISMATCH:
        longer, shorter = (pair.made, pair.true) if alignment.cut > 0 else (pair.true, pair.made)
        raise PairError(
            f"{longer.name} is {abs(alignment.cut)} frames longer than {shorter.name}, which has {alignment.frames} at "
            f"25 a second: expected no more than {MAX_MISMATCH}"
        )


def _channels_first(frames: np.ndarray) -> Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()


def _while_both(
    frames: Iterator[tuple[np.ndarray | None, np.ndarray | None]], alignment: Alignment
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The frames that both have; the others are counted."""
    for made, true in frames:
        if made is not None and true is not None:
            yield made, true
        else:
            alignment.cut += 1 if true is None else -1


def _check_aspect(pair: ClipPair, alignment: Alignment) -> None:
    (made_height, made_width), (true_height, true_width) = alignment.made_size, alignment.true_size
    ratio = made_width / made_height * true_height / true_width
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        raise PairError(
            f"{pair.made.name} is {made_width}x{made_height} pixels and {pair.true.name} {true_width}x{true_height}: "
            "expected the same crop"
        )


def _scaled(frames: tuple[np.ndarray, ...], size: int) -> np.ndarray:
    return np.stack([resize(frame, size) for frame in frames])
