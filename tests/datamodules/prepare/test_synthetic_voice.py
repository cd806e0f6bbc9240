from dataclasses import replace

import numpy as np
import pytest

from datamodules.prepare.synthetic.phonemes import CLOSED, PHONEMES, VOICED
from datamodules.prepare.synthetic.speaker import make_speaker
from datamodules.prepare.synthetic.speech import sample_timeline
from datamodules.prepare.synthetic.voice import LOUDNESS, SAMPLE_RATE, synthesise


def speak(speaker, seconds=2.0, seed=0):
    timeline = sample_timeline(seconds, speaker.voice.rate, np.random.default_rng(seed))
    samples = round(seconds * SAMPLE_RATE)
    return timeline, synthesise(speaker.voice, timeline, samples, np.random.default_rng(seed + 1))


def measured_pitch(waveform):
    return float(np.median([SAMPLE_RATE / lag for lag, periodicity in periods(waveform) if periodicity > 0.5]))


def measured_periodicity(waveform):
    """How much a wave repeats after a period, up to 1; noise and jitter lower it."""
    return float(np.mean([periodicity for _, periodicity in periods(waveform)]))


def periods(waveform):
    """Period in samples and its autocorrelation for every loud frame of 50 ms."""
    found = []
    for frame in np.lib.stride_tricks.sliding_window_view(waveform, 800)[::400]:
        windowed = frame * np.hanning(800)
        power = np.abs(np.fft.rfft(windowed, 2048)) ** 2
        power[150:] = 0
        ratio = np.fft.irfft(power)[:400] / max(power.sum() / 1024, 1e-9)
        ratio /= np.fft.irfft(np.abs(np.fft.rfft(np.hanning(800), 2048)) ** 2)[:400]
        lag = 50 + int(np.argmax(ratio[50:210]))
        if np.sqrt(np.mean(frame**2)) > LOUDNESS:
            found.append((lag, ratio[lag] / ratio[0]))
    return found


def test_timeline_covers_the_clip_without_gaps():
    for seconds in (0.04, 0.2, 1.0, 7.3):
        timeline = sample_timeline(seconds, 1.0, np.random.default_rng(4))
        assert timeline.start[0] == 0
        assert timeline.end[-1] == pytest.approx(seconds)
        np.testing.assert_allclose(timeline.start[1:], timeline.end[:-1])
        assert (timeline.end > timeline.start).all()


def test_speech_is_deterministic_and_normalised():
    speaker = make_speaker(0, 0)
    _, first = speak(speaker)
    _, again = speak(speaker)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    assert np.sqrt(np.mean(first**2)) == pytest.approx(LOUDNESS, rel=0.05)


def test_the_pitch_heard_is_the_pitch_of_the_voice():
    speakers = [make_speaker(9, index) for index in range(16)]
    heard = [measured_pitch(speak(speaker, seed=index)[1]) for index, speaker in enumerate(speakers)]
    wanted = [speaker.voice.pitch for speaker in speakers]
    np.testing.assert_allclose(heard, wanted, rtol=0.2)
    assert np.corrcoef(heard, wanted)[0, 1] > 0.95


def test_an_older_voice_is_rougher_and_a_woman_speaks_higher():
    young, old = (
        [s for s in (make_speaker(2, i) for i in range(60)) if low < s.age < high] for low, high in ((18, 35), (65, 81))
    )
    for gender in ("female", "male"):
        pitch = [np.mean([s.voice.pitch for s in group if s.gender == gender]) for group in (young, old)]
        assert pitch[0] > pitch[1]
    women, men = (
        [measured_pitch(speak(s)[1]) for s in young if s.gender == gender][:4] for gender in ("female", "male")
    )
    assert np.mean(women) > 1.4 * np.mean(men)
    roughness = [1 - np.mean([measured_periodicity(speak(s)[1]) for s in group[:6]]) for group in (young, old)]
    assert roughness[1] > 1.2 * roughness[0], roughness


def test_a_longer_vocal_tract_lowers_the_formants():
    speaker = make_speaker(0, 0)
    scales = (0.85, 1.15)
    spectra = []
    for scale in scales:
        _, waveform = speak(replace(speaker, voice=replace(speaker.voice, formant_scale=scale)), 4.0)
        frames = np.lib.stride_tricks.sliding_window_view(waveform, 512)[::256]
        frames = frames[np.sqrt((frames**2).mean(1)) > LOUDNESS] * np.hanning(512)
        spectra.append(np.log((np.abs(np.fft.rfft(frames, 4096)) ** 2).mean(0)))
    # On a logarithmic axis a scale is a shift: find the one that makes the two envelopes agree best.
    frequency = np.fft.rfftfreq(4096, 1 / SAMPLE_RATE)
    grid = np.exp(np.linspace(np.log(400), np.log(3500), 400))
    low = np.interp(grid, frequency, spectra[0])
    ratios = np.linspace(0.9, 1.8, 91)
    fits = [np.corrcoef(low, np.interp(grid * ratio, frequency, spectra[1]))[0, 1] for ratio in ratios]
    assert ratios[int(np.argmax(fits))] == pytest.approx(scales[1] / scales[0], rel=0.1)


def test_pauses_are_silent_and_vowels_are_loud():
    timeline, waveform = speak(make_speaker(0, 1), seconds=6.0)
    level = {True: [], False: []}
    for index, start, end in zip(timeline.phoneme, timeline.start, timeline.end, strict=True):
        inner = waveform[round((start + 0.04) * SAMPLE_RATE) : round((end - 0.04) * SAMPLE_RATE)]
        if len(inner) > 400 and (PHONEMES[index].symbol == "_" or VOICED[index] == 1):
            level[VOICED[index] == 1].append(np.sqrt(np.mean(inner**2)))
    assert len(level[False]) >= 2
    assert max(level[False]) < 0.05 * np.median(level[True])


@pytest.mark.parametrize("samples", [1, 640, 641, 3200])
def test_tiny_clips_have_their_samples(samples):
    speaker = make_speaker(0, 0)
    timeline = sample_timeline(samples / SAMPLE_RATE, 1.0, np.random.default_rng(0))
    waveform = synthesise(speaker.voice, timeline, samples, np.random.default_rng(0))
    assert waveform.shape == (samples,)
    assert np.isfinite(waveform).all()


def test_bilabials_are_closed_and_vowels_are_not():
    closed = {phoneme.symbol for phoneme, is_closed in zip(PHONEMES, CLOSED, strict=True) if is_closed}
    assert closed == {"_", "p", "b", "m"}
