from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from s2tf.media.audio import (
    QUIETEST,
    WAV_HEADER,
    decode_pcm,
    encode_wav,
    fit_seconds,
    frame_count,
    from_pcm,
    loudness,
    plain_wav_header,
    power_law_spectrogram,
    write_wav,
)
from s2tf.media.sound import read_audio


def test_six_seconds_give_598_frames_of_257_bins():
    assert power_law_spectrogram(torch.zeros(2, 96000)).shape == (2, 2, 598, 257)


def test_spectrogram_is_scipys_stft_with_the_power_law():
    waveform = np.random.default_rng(0).standard_normal(8000)
    window = scipy.signal.get_window("hann", 400, fftbins=True)
    stft = scipy.signal.ShortTimeFFT(window, 160, fs=16000, mfft=512, phase_shift=None)
    # scipy's slices are centred: slice p of a signal padded by half a window begins at p * 160.
    begin = -(-200 // 160)
    slices = stft.stft(np.pad(waveform, (0, 512)), p0=begin, p1=begin + 48, k_offset=200 - begin * 160).T
    expected = np.stack([np.sign(part) * np.abs(part) ** 0.3 for part in (slices.real, slices.imag)])
    result = power_law_spectrogram(torch.from_numpy(waveform)).numpy()
    # scipy turns every slice by the position of its window in the FFT; the modulus is free of that choice.
    size = [np.hypot(*np.sign(x) * np.abs(x) ** (1 / 0.3)) for x in (result, expected)]
    assert np.allclose(size[0], size[1], atol=1e-9)


def test_spectrogram_is_torchs_stft_with_the_power_law():
    waveform = torch.randn(3, 5000, dtype=torch.float64)
    window = torch.nn.functional.pad(torch.hann_window(400, dtype=torch.float64), (0, 112))
    padded = torch.nn.functional.pad(waveform, (0, 112))
    stft = torch.stft(padded, 512, hop_length=160, window=window, center=False, return_complex=True)
    expected = torch.stack([stft.real, stft.imag], 1).transpose(-1, -2)
    expected = expected.sign() * expected.abs() ** 0.3
    assert torch.allclose(power_law_spectrogram(waveform), expected, atol=1e-6)


def test_a_waveform_shorter_than_a_window_is_an_error():
    with pytest.raises(ValueError, match="399"):
        power_law_spectrogram(torch.zeros(399))


@given(st.integers(1, 5000), st.floats(0.01, 0.6))
def test_fit_seconds_cuts_or_repeats_from_the_beginning(samples, seconds):
    waveform = np.arange(samples, dtype=np.float32)
    fitted = fit_seconds(waveform, seconds)
    assert len(fitted) == round(seconds * 16000)
    assert np.array_equal(fitted, np.arange(len(fitted)) % samples)


def test_an_empty_waveform_cannot_be_fitted():
    with pytest.raises(ValueError, match="no samples"):
        fit_seconds(np.zeros(0, np.float32), 6.0)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (640, 1), (959, 1), (961, 2), (48000, 75), (480000, 750)])
def test_frame_count_rounds_and_is_never_zero(samples, frames):
    assert frame_count(samples) == frames


@given(st.integers(0, 400), st.integers(0, 400))
def test_any_window_of_a_wav_is_that_window_of_the_whole(start, count):
    waveform = np.random.default_rng(1).uniform(-1, 1, 300).astype(np.float32)
    data = encode_wav(waveform)
    assert np.abs(from_pcm(decode_pcm(data)) - waveform).max() < 2e-5
    assert np.array_equal(decode_pcm(data, start, count), decode_pcm(data)[start : start + count])
    assert data[:WAV_HEADER] == plain_wav_header(300)


def test_a_written_wav_is_read_back(tmp_path):
    waveform = np.random.default_rng(2).uniform(-0.9, 0.9, 12345).astype(np.float32)
    write_wav(tmp_path / "a.wav", waveform)
    assert np.abs(read_audio(tmp_path / "a.wav") - waveform).max() < 1e-4


def test_other_bytes_are_no_wav():
    with pytest.raises(ValueError, match="WAV"):
        decode_pcm(b"RIFFnonsense")


def test_loudness_is_that_of_each_frames_own_samples():
    seconds = np.arange(16000) / 16000
    sine = np.sin(2 * np.pi * 200 * seconds)
    sound = np.where(seconds < 0.4, 0.5 * sine, np.where(seconds < 0.8, 0.05 * sine, 0.0))
    level = loudness(sound, 30)
    # A sine's mean square is half its peak's: 3 dB.
    assert level[:10] == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.01)
    assert level[10:20] == pytest.approx(level[:10] - 20, abs=0.01)
    assert (level[20:25] == QUIETEST).all()
    assert np.isnan(level[25:]).all()


def test_loudness_does_not_drift_at_a_rate_that_divides_no_second():
    rate = Fraction(30000, 1001)
    click = np.zeros(160000)
    click[9 * 16000] = 1.0
    assert np.flatnonzero(loudness(click, 290, rate) > QUIETEST).tolist() == [int(9 * rate)]
