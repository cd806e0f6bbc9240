"""Correlation of a generated signal, such as the opening of a mouth, with the reference."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

STILL = 1e-6
"""A signal whose standard deviation is below this is constant."""


@dataclass(frozen=True)
class Correlation:
    """The mean Pearson correlation over clips, with the numbers of clips.

    `still` clips have a generated signal that does not move: they count as 0, since a mouth that never opens follows
    no speech. `undefined` clips have a reference that does not move: nothing can correlate with it, so they are left
    out.
    """

    mean: float
    clips: int
    still: int
    undefined: int


def pearson(preds: np.ndarray, target: np.ndarray) -> float:
    """Pearson's correlation of two (T,) signals: 0 where `preds` is constant, NaN where `target` is.

    Raises:
        ValueError: The signals differ in length, or hold a value that is not finite.

    Example:
        >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 7.0])), 4)
        0.9934
    """
    preds, target = np.asarray(preds, np.float64), np.asarray(target, np.float64)
    if preds.shape != target.shape or preds.ndim != 1:
        raise ValueError(f"signals of shapes {preds.shape} and {target.shape}: expected two of the same length")
    if not (np.isfinite(preds).all() and np.isfinite(target).all()):
        raise ValueError("a signal holds a value that is not finite")
    if len(target) == 0 or target.std() < STILL:
        return math.nan
    if preds.std() < STILL:
        return 0.0
    covariance = np.mean((preds - preds.mean()) * (target - target.mean()))
    return float(covariance / (preds.std() * target.std()))


def mean_correlation(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Correlation:
    """The mean of `pearson` over pairs of a generated signal and its reference; NaN where no clip is defined.

    Example:
        >>> signal = np.array([-1.0, 1.0])
        >>> mean_correlation([(signal, signal), (0 * signal, signal), (signal, 0 * signal)])
        Correlation(mean=0.5, clips=2, still=1, undefined=1)
    """
    values, still, undefined = [], 0, 0
    for preds, target in pairs:
        value = pearson(preds, target)
        if math.isnan(value):
            undefined += 1
            continue
        still += int(np.std(preds) < STILL)
        values.append(value)
    mean = float(np.mean(values)) if values else math.nan
    return Correlation(mean=mean, clips=len(values), still=still, undefined=undefined)
