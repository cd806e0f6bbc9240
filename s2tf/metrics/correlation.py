"""Correlation of a generated mouth's opening with the true one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

STILL = 1e-6
"""A signal whose standard deviation is below this is constant."""


@dataclass(frozen=True)
class Correlation:
    """The mean Pearson correlation over clips, and what it counts.

    `still` clips have a generated signal that does not move: they count as 0, for a mouth that never opens follows no
    speech. `undefined` clips have a true signal that does not move: nothing can correlate with it, they are left out.
    """

    mean: float
    clips: int
    still: int
    undefined: int


def pearson(generated: np.ndarray, true: np.ndarray) -> float:
    """Pearson's correlation of two (T,) signals: 0 where `generated` is constant, NaN where `true` is.

    Raises:
        ValueError: the signals differ in length, or hold a value that is not finite.
    """
    generated, true = np.asarray(generated, np.float64), np.asarray(true, np.float64)
    if generated.shape != true.shape or generated.ndim != 1:
        raise ValueError(f"signals of shapes {generated.shape} and {true.shape}: expected two of the same length")
    if not (np.isfinite(generated).all() and np.isfinite(true).all()):
        raise ValueError("a signal holds a value that is not finite")
    if len(true) == 0 or true.std() < STILL:
        return math.nan
    if generated.std() < STILL:
        return 0.0
    covariance = np.mean((generated - generated.mean()) * (true - true.mean()))
    return float(covariance / (generated.std() * true.std()))


def mean_correlation(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Correlation:
    """The mean of `pearson` over (generated, true) signals; NaN where no clip is defined."""
    values, still, undefined = [], 0, 0
    for generated, true in pairs:
        value = pearson(generated, true)
        if math.isnan(value):
            undefined += 1
            continue
        still += int(np.std(generated) < STILL)
        values.append(value)
    mean = float(np.mean(values)) if values else math.nan
    return Correlation(mean=mean, clips=len(values), still=still, undefined=undefined)
