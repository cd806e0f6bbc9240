"""Mel-frequency cepstral coefficients by the defaults of `python_speech_features`, which SyncNet was trained on."""

import functools

import numpy as np
from scipy.fft import dct

from s2tf.media.audio import SAMPLE_RATE

COLUMN_SAMPLES = 160
"""Samples between two columns: 100 columns a second, four to a frame."""
WINDOW_SAMPLES = 400
COEFFICIENTS = 13
_FFT = 512
_FILTERS = 26
_PRE_EMPHASIS = 0.97
_LIFTER = 22
_FULL_SCALE = 32768
"""SyncNet reads unscaled 16-bit samples, and its first coefficient is the log energy."""
_BLOCK = 6000
"""Columns computed together: a minute of them, so that memory hardly grows with the length."""


def mfcc(waveform: np.ndarray) -> np.ndarray:
    """Coefficients (C, 13) float32 of 16 kHz sound (S,) in [-1, 1], 100 columns a second.

    Column c covers the samples from 160 c to 160 c + 400; the last one is filled up with zeros. The first coefficient
    is the logarithm of the column's energy in units of 16-bit samples.

    Raises:
        ValueError: there is no sample.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(f"sound of shape {waveform.shape}: expected (S,) with at least one sample")
    columns = 1 + max(0, -(-(len(waveform) - WINDOW_SAMPLES) // COLUMN_SAMPLES))
    starts = range(0, columns, _BLOCK)
    blocks = [_coefficients(_windows(waveform, start, min(_BLOCK, columns - start))) for start in starts]
    return np.concatenate(blocks)


def _windows(waveform: np.ndarray, first: int, count: int) -> np.ndarray:
    """The samples (count, 400) of columns from `first` on, each less most of the one before it."""
    begin, length = first * COLUMN_SAMPLES, (count - 1) * COLUMN_SAMPLES + WINDOW_SAMPLES
    heard = waveform[max(0, begin - 1) : begin + length].astype(np.float64)
    # 16-bit samples are whole numbers.
    samples = np.round(np.clip(heard * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1))
    emphasised = samples[1:] - _PRE_EMPHASIS * samples[:-1]
    if begin == 0:
        emphasised = np.append(samples[0], emphasised)
    padded = np.zeros(length)
    padded[: len(emphasised)] = emphasised
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::COLUMN_SAMPLES]


def _coefficients(windows: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.rfft(windows, _FFT)) ** 2 / _FFT
    tiny = np.finfo(float).eps
    energy = power.sum(axis=1)
    bands = power @ _filters().T
    logs = np.log(np.where(bands == 0, tiny, bands))
    cepstrum = dct(logs, type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    cepstrum *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstrum[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return cepstrum.astype(np.float32)


@functools.cache
def _filters() -> np.ndarray:
    """(26, 257) triangles, equally wide on the mel scale, between whole bins of the spectrum."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, _FILTERS + 2) / 2595) - 1)
    edges = np.floor((_FFT + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(_FFT // 2 + 1)
    filters = np.zeros((_FILTERS, len(bins)))
    for index, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        rising, falling = (bins >= low) & (bins < centre), (bins >= centre) & (bins < high)
        filters[index, rising] = (bins[rising] - low) / (centre - low)
        filters[index, falling] = (high - bins[falling]) / (high - centre)
    return filters
