import pytest
import torch

from s2tf.metrics.code_use import CodeUse
from s2tf.metrics.row_mean import RowMean


def test_a_small_batch_counts_as_its_rows_and_nan_is_not_hidden():
    mean = RowMean()
    mean.update(torch.tensor(1.0), 3)
    mean.update(torch.tensor(5.0), 1)
    assert mean.compute() == 2
    mean.update(torch.tensor(float("nan")), 1)
    assert mean.compute().isnan()


def test_use_of_the_codes_is_counted_over_all_batches():
    use = CodeUse(4)
    for code in range(2):
        use.update(torch.full((2, 3, 3), code))
    assert use.compute() == pytest.approx(2)
