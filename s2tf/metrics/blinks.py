"""Blinks counted in a signal of eye openings."""

import numpy as np

CLOSED = 0.5
"""An eye is closed where it is open less than this share of its median."""


def count_blinks(eyes: np.ndarray) -> int:
    """How often the eyes (T,) close: falls below half of their median."""
    closed = eyes < CLOSED * np.median(eyes)
    return int(closed[0]) + int((closed[1:] & ~closed[:-1]).sum())
