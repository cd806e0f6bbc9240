"""Padding in batches of sequences: what stands behind the end of a short clip has no effect on loss or prediction.

Convolutions, normalisations and attention over time would each need a mask, and a frame at the end of a masked clip
would still be computed otherwise than at the end of a clip of that length. Instead, the rows of each length are cut to
it and computed by themselves, exactly as at inference. Batches without padding are computed as one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from torch import Tensor

from s2tf.batches import MotionSequenceBatch

PER_FRAME = ("waveform", "features", "motion", "lips", "face")
"""Parts of a batch that run over time."""


def without_padding(batch: MotionSequenceBatch) -> Iterator[tuple[MotionSequenceBatch, float]]:
    """The rows of each length, cut to it, with their share in the batch's frames."""
    frames = batch["lips"].shape[1]
    lengths = batch["length"].tolist() if "length" in batch else [frames]
    if min(lengths) >= frames:
        yield batch, 1.0
        return
    for length in sorted(set(lengths)):
        rows = [row for row, own in enumerate(lengths) if own == length]
        yield _part(batch, rows, length, frames), len(rows) * length / sum(lengths)


def mean_losses(
    batch: MotionSequenceBatch, losses: Callable[[MotionSequenceBatch], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """The losses of a batch: those of the rows of each length, weighted by their frames."""
    total: dict[str, Tensor] = {}
    for part, share in without_padding(batch):
        for name, value in losses(part).items():
            value = value if share == 1 else share * value
            total[name] = total[name] + value if name in total else value
    return total


def _part(batch: MotionSequenceBatch, rows: list[int], length: int, frames: int) -> MotionSequenceBatch:
    """Some rows of a batch, cut to their first `length` of `frames` frames."""
    part: dict[str, Any] = {}
    for name, value in cast(Mapping[str, Any], batch).items():
        if isinstance(value, Tensor):
            part[name] = value[rows]
            if name in PER_FRAME:
                part[name] = part[name][:, : value.shape[1] // frames * length]
        else:
            part[name] = [value[row] for row in rows]
    return cast(MotionSequenceBatch, part)
