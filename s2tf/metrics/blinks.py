"""Blinks counted in a signal of eye openings."""

import numpy as np

CLOSED = 0.5
"""An eye is closed where it is open less than this share of its median."""


def count_blinks(eyes: np.ndarray, closed: float = CLOSED) -> int:
    """The number of times that the opening of the eyes (T,) falls below `closed` times its median.

    Example:
        >>> count_blinks(np.array([0.2, 0.2, 0.0, 0.0, 0.2, 0.2]))
        1
    """
    below = eyes < closed * np.median(eyes)
    return int(below[0]) + int((below[1:] & ~below[:-1]).sum())
