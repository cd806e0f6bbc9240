import numpy as np

from s2tf.metrics.blinks import count_blinks

FRAMES = 100


def blinking(*starts):
    eyes = np.full(FRAMES, 0.2)
    for start in starts:
        eyes[start : start + 4] = 0.02
    return eyes


def test_blinks_are_counted_once_each():
    assert count_blinks(blinking(10, 40, 80)) == 3
    assert count_blinks(blinking()) == 0
    assert count_blinks(blinking(0)) == 1
    assert count_blinks(blinking(10) * 5) == 1
