import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from s2tf.media.mfcc import mfcc

FIXTURE = Path(__file__).parent / "fixtures" / "mfcc.npz"
"""What python_speech_features 0.6 makes of 2000 samples: a rising tone in noise, then silence."""


def test_the_coefficients_are_those_of_python_speech_features():
    with np.load(FIXTURE) as stored:
        samples, theirs = stored["samples"], stored["coefficients"]
    ours = mfcc((samples / 32768).astype(np.float32))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("samples", "columns"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (16000, 99)])
def test_a_column_begins_every_hundredth_of_a_second(samples, columns):
    assert mfcc(np.zeros(samples, np.float32)).shape == (columns, 13)


def test_long_sound_in_blocks_is_as_in_one(monkeypatch):
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, 8000).astype(np.float32)
    whole = mfcc(sound)
    monkeypatch.setattr("s2tf.media.mfcc._BLOCK", 7)
    np.testing.assert_array_equal(mfcc(sound), whole)


def test_the_memory_of_long_sound_is_that_of_its_columns_and_a_block():
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, 8 * 60 * 16000).astype(np.float32)
    mfcc(sound[:16000])
    tracemalloc.start()
    columns = mfcc(sound)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Twice, when the blocks are joined; a block's spectrum takes some 50 MB. As float64 the sound alone takes 61.
    assert peak < 2 * columns.nbytes + 60e6


def test_no_sound_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        mfcc(np.zeros(0, np.float32))
