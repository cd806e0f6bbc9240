import math

import numpy as np
import pytest
from scipy import stats

from s2tf.metrics.correlation import mean_correlation, pearson


def test_pearson_agrees_with_scipy():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 75))
    second += 0.5 * first

    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-12)
    assert pearson(3 * first - 7, second) == pytest.approx(pearson(first, second), abs=1e-12)
    assert pearson(-first, second) == pytest.approx(-pearson(first, second), abs=1e-12)


def test_a_still_generated_mouth_counts_as_zero_and_a_still_true_mouth_is_left_out():
    moving = np.sin(np.arange(20.0))
    still = np.full(20, 0.3)

    result = mean_correlation([(moving, moving), (still, moving), (moving, still)])

    assert result.mean == pytest.approx(0.5)
    assert (result.clips, result.still, result.undefined) == (2, 1, 1)


def test_nothing_to_correlate_with_is_not_a_number():
    assert math.isnan(mean_correlation([(np.arange(4.0), np.zeros(4))]).mean)
    assert math.isnan(pearson(np.zeros(1), np.zeros(1)))


def test_signals_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="same length"):
        pearson(np.zeros(5), np.zeros(6))
    with pytest.raises(ValueError, match="not finite"):
        pearson(np.array([0.0, np.nan]), np.array([0.0, 1.0]))
