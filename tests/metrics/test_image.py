import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from s2tf.metrics.image import FrameQuality, psnr, ssim


def test_black_against_white_is_zero_decibels():
    black = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    white = torch.full_like(black, 255)

    assert psnr(black, white).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_psnr_of_misaligned_pictures_is_far_below_the_band_that_wrap_around_makes():
    rng = np.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=(3, 64, 64)), (0, 6, 6))
    picture = ((blobs - blobs.min()) / np.ptp(blobs) * 255).astype(np.uint8)
    moved = np.roll(picture, 20, axis=2)
    expected = -10 * math.log10(np.mean((picture.astype(np.float64) / 255 - moved.astype(np.float64) / 255) ** 2))

    value = psnr(torch.from_numpy(picture)[None], torch.from_numpy(moved)[None]).item()

    # Difference and square in uint8 both wrap.
    wrapped = -10 * math.log10(np.mean((picture - moved) ** 2) / 255**2)
    assert value == pytest.approx(expected, abs=1e-6)
    assert value < 20
    assert 26 < wrapped < 32


def test_psnr_averages_decibels_and_not_errors():
    true = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    frames = true.clone()
    frames[0] += 10
    frames[1] += 100
    metric = FrameQuality()
    metric.update(*(torch.nn.functional.interpolate(x.float(), 16).to(torch.uint8) for x in (frames, true)))

    expected = np.mean([-20 * math.log10(10 / 255), -20 * math.log10(100 / 255)])
    assert metric.compute()["psnr"].item() == pytest.approx(expected, abs=1e-6)
    assert metric.protocol["frames"] == 2


def test_float_and_uint8_frames_give_the_same_numbers():
    generator = torch.Generator().manual_seed(0)
    frames, true = torch.randint(0, 256, (2, 3, 3, 32, 32), generator=generator, dtype=torch.uint8)

    as_float = [x.float() / 127.5 - 1 for x in (frames, true)]

    torch.testing.assert_close(psnr(*as_float), psnr(frames, true), atol=1e-4, rtol=0)
    torch.testing.assert_close(ssim(*as_float), ssim(frames, true), atol=1e-5, rtol=0)


def test_equal_frames_are_perfect_and_finite():
    frames = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    assert psnr(frames, frames).item() == pytest.approx(100)
    assert ssim(frames, frames).item() == pytest.approx(1)


def test_frames_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected equal"):
        psnr(torch.zeros(2, 3, 8, 8), torch.zeros(1, 3, 8, 8))


def test_psnr_and_ssim_are_scikit_images():
    """But for SSIM's border, which scikit-image leaves out: there the pictures are equal."""
    metrics = pytest.importorskip(
        "skimage.metrics", reason="scikit-image, to compare with, comes with the extra `test`"
    )
    rng = np.random.default_rng(0)
    true = np.kron(rng.integers(0, 256, (9, 11, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    made = true.copy()
    inner = made[11:-11, 11:-11]
    inner[:] = (inner + rng.normal(0, 15, inner.shape)).clip(0, 255).astype(np.uint8)
    frames, wanted = (torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (made, true))
    assert float(psnr(frames, wanted)) == pytest.approx(metrics.peak_signal_noise_ratio(true, made), abs=1e-4)
    _, theirs = metrics.structural_similarity(
        true / 255,
        made / 255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=2,
        full=True,
    )
    inside = theirs[5:-5, 5:-5]
    expected = (inside.sum() + theirs.size - inside.size) / theirs.size
    assert expected < 0.95
    assert float(ssim(frames, wanted)) == pytest.approx(expected, abs=1e-4)
