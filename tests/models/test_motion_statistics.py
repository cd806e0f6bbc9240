import pytest
import torch

from s2tf.models.motion_statistics import MotionStatistics


def test_a_stream_in_pieces_gives_the_statistics_of_the_whole():
    codes = 3.0 * torch.randn(40, 25, 6) + torch.arange(6) * 100.0
    statistics = MotionStatistics(6)
    statistics.fit(codes[start : start + 7] for start in range(0, 40, 7))
    flat = codes.flatten(0, 1).double()
    torch.testing.assert_close(statistics.mean.double(), flat.mean(0), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(statistics.std.double(), flat.std(0, correction=0), rtol=1e-5, atol=1e-5)
    assert statistics.count == 1000


def test_normalising_comes_back_and_survives_saving(tmp_path):
    statistics = MotionStatistics(6)
    assert not statistics.fitted
    codes = 5 * torch.randn(100, 6) - 2
    statistics.fit([codes])
    normal = statistics.normalise(codes)
    torch.testing.assert_close(normal.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(0, correction=0), torch.ones(6))
    statistics.save_pretrained(tmp_path)
    again = MotionStatistics.from_pretrained(tmp_path)
    assert again.fitted
    torch.testing.assert_close(again.denormalise(normal), codes)


def test_a_dimension_that_never_moves_is_only_centred():
    codes = torch.cat([torch.randn(50, 1), torch.full((50, 1), 7.0)], dim=1)
    statistics = MotionStatistics(2)
    statistics.fit([codes])
    assert torch.equal(statistics.normalise(codes)[:, 1], torch.zeros(50))


def test_bad_streams_are_refused():
    with pytest.raises(ValueError, match="no motion codes"):
        MotionStatistics(3).fit([])
    with pytest.raises(ValueError, match="have 4 dimensions, expected 3"):
        MotionStatistics(3).fit([torch.zeros(2, 4)])
    with pytest.raises(ValueError, match="not finite"):
        MotionStatistics(2).fit([torch.tensor([[0.0, torch.nan]])])
