import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s2tf.diffusion.sampling import sample
from s2tf.diffusion.schedule import make_scheduler, noise_levels
from s2tf.diffusion.windows import Windows, windowed


@settings(max_examples=200, deadline=None)
@given(frames=st.integers(1, 400), window=st.integers(1, 60), share=st.floats(0, 0.99))
def test_windows_cover_every_frame_and_weights_sum_to_one(frames, window, share):
    windows = Windows(frames, window, int(share * window))
    total = torch.zeros(frames, dtype=torch.float64)
    for start, weights in zip(windows.starts, windows.weights(), strict=True):
        assert (weights > 0).all()
        total[start : start + windows.length] += weights
    torch.testing.assert_close(total, torch.ones(frames, dtype=torch.float64))
    assert windows.starts[0] == 0
    assert windows.starts[-1] + windows.length == frames
    hops = torch.tensor(windows.starts).diff()
    assert (hops > 0).all()
    assert (hops <= window - windows.overlap).all()


@pytest.mark.parametrize("frames", [1, 19, 20, 21, 203])
def test_joining_what_was_split_gives_it_back(frames):
    windows = Windows(frames, 20, 5)
    sequence = torch.randn(3, frames, 4)
    torch.testing.assert_close(windows.join(windows.split(sequence)), sequence)
    features = torch.randn(3, 2 * frames, 4)
    pieces = windows.split_features(features).unflatten(0, (3, -1))
    for index, start in enumerate(windows.starts):
        assert torch.equal(pieces[:, index], features[:, 2 * start : 2 * (start + windows.length)])


def linear_denoiser(covariance, scheduler):
    """The exact denoiser of Gaussian sequences of that covariance, (length, length)."""

    def predict(x_t, t, rows=None):
        signal, noise = (level.flatten()[0] for level in noise_levels(scheduler, t[:1], x_t))
        length = x_t.shape[1]
        part = covariance[:length, :length]
        total = signal**2 * part + noise**2 * torch.eye(length, dtype=part.dtype)
        return noise * torch.linalg.solve(total, x_t[..., 0].T).T[..., None]

    return predict


def smooth_covariance(frames, seconds=5.0):
    index = torch.arange(frames, dtype=torch.float64)
    return torch.exp(-0.5 * ((index[:, None] - index) / seconds) ** 2) + 1e-4 * torch.eye(frames, dtype=torch.float64)


@pytest.mark.parametrize("frames", [1, 19, 20])
def test_a_single_window_is_plain_sampling_to_the_bit(frames):
    scheduler = make_scheduler("ddim", "linear")
    predict = linear_denoiser(smooth_covariance(20), scheduler)
    noise = torch.randn(2, frames, 1, dtype=torch.float64)
    plain = sample(predict, noise, scheduler, 10)
    assert torch.equal(sample(windowed(predict, Windows(frames, 20, 5)), noise, scheduler, 10), plain)


def test_a_denoiser_of_single_frames_does_not_notice_windows():
    scheduler = make_scheduler("ddim", "linear")
    predict = linear_denoiser(0.7 * torch.eye(300, dtype=torch.float64), scheduler)
    noise = torch.randn(1, 203, 1, dtype=torch.float64)
    in_windows = sample(windowed(predict, Windows(203, 20, 5), rows_at_once=3), noise, scheduler, 10)
    torch.testing.assert_close(in_windows, sample(predict, noise, scheduler, 10))


@pytest.fixture(scope="module")
def long_samples():
    """Smooth Gaussian motion, 64 sequences of 10 w + 3 frames from a denoiser of w = 40."""
    scheduler = make_scheduler("ddim", "linear")
    windows = Windows(403, 40, 16)
    noise = torch.randn(64, 403, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    predict = windowed(linear_denoiser(smooth_covariance(40), scheduler), windows)
    return windows, sample(predict, noise, scheduler, 40)[..., 0]


def test_no_seam_where_windows_begin_or_end(long_samples):
    windows, sequences = long_samples
    assert sequences.shape == (64, 403)
    jumps = sequences.diff(dim=1).abs().mean(dim=0)
    borders = [start - 1 for start in windows.starts[1:]] + [s + windows.length - 1 for s in windows.starts[:-1]]
    assert jumps[borders].max() < 1.5 * jumps.median()
    assert jumps.max() < 2 * jumps.median()


def test_long_samples_keep_the_process_within_and_across_windows(long_samples):
    _, sequences = long_samples
    expected = smooth_covariance(40)[0]
    assert sequences.var() == pytest.approx(1.0, abs=0.15)
    for lag in (1, 5, 10):
        measured = (sequences[:, lag:] * sequences[:, :-lag]).mean()
        assert float(measured) == pytest.approx(float(expected[lag]), abs=0.15)


def test_senseless_windows_are_refused():
    for frames, window, overlap in ((0, 5, 1), (5, 0, 0), (5, 5, 5), (5, 5, -1)):
        with pytest.raises(ValueError, match="expected at least 1 frame"):
            Windows(frames, window, overlap)
