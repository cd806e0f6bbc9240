"""The sound of speech: a source-filter model (glottal pulses and noise through formant resonators)."""

import numpy as np

from datamodules.prepare.synthetic.phonemes import BURST, FORMANTS, NOISE, NOISE_BANDS, VOICED
from datamodules.prepare.synthetic.speaker import Voice
from datamodules.prepare.synthetic.speech import CONTROL_RATE, Timeline, control_times, smooth

SAMPLE_RATE = 16000
HOP = SAMPLE_RATE // CONTROL_RATE
WINDOW = 4 * HOP
FFT = 512
BANDWIDTHS = (70.0, 90.0, 130.0, 200.0, 280.0)
HIGH_FORMANTS = (3500.0, 4500.0)
ASPIRATION = 0.08
"""Amplitude of the noise for a breathiness of 1, relative to glottal pulses of unit power."""
ASPIRATION_BAND = (5500.0, 1500.0)
"""Centre and width in Hz of the aspiration noise, above the formants, where the pulses are weak."""
LOUDNESS = 0.09
"""Root mean square of every clip; full scale is 1."""


def synthesise(voice: Voice, timeline: Timeline, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Speak a timeline.

    Args:
        voice: The speaker's voice.
        timeline: The phonemes to speak.
        samples: Length of the result at 16 kHz.
        rng: Source of the noise.

    Returns:
        The waveform, (samples,) float32 within -1 and 1, of root mean square `LOUDNESS` unless that would clip.
    """
    # Slow quantities at the control times: amplitudes and formants.
    times = control_times(timeline.seconds)
    place = timeline.at(times)
    phoneme = timeline.phoneme[place]
    burst = _burst(timeline, times, place)
    emphasis = 0.8 + 0.35 * timeline.stress[place]
    voiced = smooth(VOICED[phoneme] * emphasis, 0.008)
    aspiration = voice.breathiness * voiced
    hiss = smooth(np.where(BURST[phoneme], burst, 1.0) * NOISE[phoneme], 0.006)
    formants = smooth(FORMANTS[phoneme], 0.018) * voice.formant_scale
    # Sources, each through its filter: the voice, its breath, and the hiss of consonants.
    pulses = _glottal_pulses(_pitch_track(voice, timeline, times, rng), samples)
    noise = rng.standard_normal(samples)
    grid = np.arange(samples) / SAMPLE_RATE
    waveform = _filtered(pulses * np.interp(grid, times, voiced), _vocal_tract(formants, voice))
    breath = np.broadcast_to(_band(*ASPIRATION_BAND), (len(times), FFT // 2 + 1))
    waveform += _filtered(ASPIRATION * noise * np.interp(grid, times, aspiration), breath)
    hissing = _band(*NOISE_BANDS[phoneme].T[:, :, None])
    waveform += _filtered(0.16 * noise * np.interp(grid, times, hiss), hissing)
    waveform += 1e-4 * rng.standard_normal(samples)
    return _normalised(waveform)


def _pitch_track(voice: Voice, timeline: Timeline, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pitch in Hz at the control times: declination, stress peaks, slow drift and jitter."""
    place = timeline.at(times)
    contour = 0.10 * (0.5 - timeline.phrase[place]) + 0.14 * (timeline.stress[place] - 0.3)
    drift = smooth(rng.standard_normal(len(times)), 0.15) * 0.10
    # Smoothing over 5 ms, about one pitch period, leaves a third of white noise's deviation.
    jitter = smooth(rng.standard_normal(len(times)), 0.005) * 2.0 * voice.jitter
    return np.clip(voice.pitch * (1.0 + smooth(contour, 0.05) + drift + jitter), 60.0, 400.0)


def _glottal_pulses(pitch: np.ndarray, samples: int) -> np.ndarray:
    """Derivative of Rosenberg's glottal flow, (samples,), for a pitch track at `CONTROL_RATE`; unit power."""
    steps = np.arange(samples) / HOP
    phase = np.cumsum(np.interp(steps, np.arange(len(pitch)), pitch)) / SAMPLE_RATE % 1.0
    opening, closing = 0.42, 0.18
    rise = np.sin(np.pi * phase / opening)
    fall = -(opening / closing) * np.sin(0.5 * np.pi * (phase - opening) / closing)
    flow = np.where(phase < opening, rise, np.where(phase < opening + closing, fall, 0.0))
    return flow / max(float(np.sqrt(np.mean(flow**2))), 1e-6)


def _vocal_tract(formants: np.ndarray, voice: Voice) -> np.ndarray:
    """Frequency response of the cascade of resonators, (K, FFT // 2 + 1) complex, for formants (K, 3) in Hz."""
    high = np.broadcast_to(np.array(HIGH_FORMANTS) * voice.formant_scale, (len(formants), 2))
    frequency = np.fft.rfftfreq(FFT, 1.0 / SAMPLE_RATE)
    delay = np.exp(-2j * np.pi * frequency / SAMPLE_RATE).astype(np.complex64)
    response = np.ones((len(formants), len(frequency)), np.complex64)
    for centre, width in zip(np.concatenate([formants, high], axis=1).T, BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * width / SAMPLE_RATE)
        first = (2 * radius * np.cos(2 * np.pi * centre / SAMPLE_RATE)).astype(np.float32)[:, None]
        second = np.float32(-(radius**2))
        response *= (1 - first - second) / (1 - first * delay - second * delay**2)
    octaves = np.log2(np.maximum(frequency, 500.0) / 500.0)
    tilt = 10 ** ((2.5 * voice.brightness - 1.0) * octaves / 20)
    return response * tilt.astype(np.float32)


def _band(centre: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Spectrum of noise around a centre in Hz, (..., FFT // 2 + 1), real."""
    frequency = np.fft.rfftfreq(FFT, 1.0 / SAMPLE_RATE)
    return np.exp(-0.5 * ((frequency - centre) / width) ** 2).astype(np.float32)


def _filtered(source: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Filter by overlap-add: a response (K, F) at every hop applied to a source (S,)."""
    steps = len(response)
    window = np.hanning(WINDOW + 1)[:-1] / 2
    padded = np.zeros((steps - 1) * HOP + WINDOW)
    reach = min(len(source), len(padded) - WINDOW // 2)
    padded[WINDOW // 2 : WINDOW // 2 + reach] = source[:reach]
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    filtered = np.fft.irfft(np.fft.rfft(pieces, FFT) * response, FFT)
    blocks = -(-FFT // HOP)
    filtered = np.pad(filtered, ((0, 0), (0, blocks * HOP - FFT)))
    total = np.zeros((steps + blocks - 1, HOP))
    for block in range(blocks):
        total[block : block + steps] += filtered[:, block * HOP : (block + 1) * HOP]
    return total.ravel()[WINDOW // 2 :][: len(source)]


def _burst(timeline: Timeline, times: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Mask (K,): 1 in the last 25 ms of each phoneme, 0 before."""
    return (timeline.end[place] - times < 0.025).astype(float)


def _normalised(waveform: np.ndarray) -> np.ndarray:
    level = float(np.sqrt(np.mean(waveform**2)))
    peak = float(np.abs(waveform).max())
    gain = min(LOUDNESS / max(level, 1e-5), 0.98 / max(peak, 1e-5))
    return (waveform * gain).astype(np.float32)
