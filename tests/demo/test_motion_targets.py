import numpy as np
import pytest

from s2tf.demo.motion_targets import blinks

PROTOCOL = {"landmarks": "a test's"}


def eyes(openness: float, closed: float, times: tuple[int, ...], frames: int = 100) -> np.ndarray:
    """Eyes that are closed for three frames at each time."""
    values = np.full(frames, openness)
    for time in times:
        values[time : time + 3] = closed
    return values


def test_blinks_are_counted_though_the_reader_sees_only_shallow_dips():
    clips = [(eyes(0.12, 0, (10, 60)), eyes(0.11, 0.095, (10, 60)), eyes(0.10, 0.085, (30,)))]
    found = blinks(clips, PROTOCOL)
    assert found.truth == found.protocol["blinks per minute of the landmarks"] == pytest.approx(30)
    assert (found.value, found.baseline) == (pytest.approx(15), 0)


def test_a_face_that_does_not_blink_has_none_though_the_reader_is_noisy():
    noise = 0.003 * np.random.default_rng(0).standard_normal(100)
    clips = [(eyes(0.12, 0, (10,)), eyes(0.11, 0.08, (10,)) + noise, eyes(0.10, 0.1, ()) + noise)]
    assert blinks(clips, PROTOCOL).value == 0
