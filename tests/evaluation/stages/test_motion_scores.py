import numpy as np
import pytest

from s2tf.evaluation.stages.motion_scores import MotionClip, MotionScores, Signals, band_power, frame_steps

FRAMES = 100
TIME = np.arange(FRAMES) / 25


def signals(rng, *, mouth=None, eyes=None, head=1.0, hertz=0.3):
    phase = rng.uniform(0, 6, size=4)
    return Signals(
        mouth=rng.normal(size=FRAMES) if mouth is None else mouth,
        eyes=np.full(FRAMES, 0.2) if eyes is None else eyes,
        head=head * np.sin(2 * np.pi * hertz * TIME[:, None] + phase),
    )


def blinking(*starts):
    eyes = np.full(FRAMES, 0.2)
    for start in starts:
        eyes[start : start + 4] = 0.02
    return eyes


@pytest.mark.parametrize("hertz", [0.3, 0.75, 1.5])
def test_the_power_of_a_wave_is_in_its_own_band(hertz):
    wave = 3 * np.sin(2 * np.pi * hertz * np.arange(500) / 25) + 7
    bands = {band: band_power(wave, *band) for band in ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0))}
    own = next(value for (low, high), value in bands.items() if low < hertz <= high)
    assert own > 0.98 * sum(bands.values())
    # Its mean square is half the squared amplitude; a one-sided spectrum has half of it.
    assert own == pytest.approx(9 / 4, rel=0.03)


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(12):
        reference = signals(rng, eyes=blinking(20, 60))
        generated = [
            signals(rng, mouth=reference.mouth + 0.1 * rng.normal(size=FRAMES), eyes=blinking(30), head=2**0.5)
            for _ in range(2)
        ]
        clips.append(MotionClip(reference, reference, generated, signals(rng)))
    return {one.name: one for one in MotionScores(clips).measurements({"clips": 12})}


def test_a_mouth_that_follows_is_told_from_one_that_does_not(scores):
    mouth = scores["mouth correlation"]
    assert mouth.value > 0.95
    assert abs(mouth.baseline) < 0.2
    assert mouth.truth == pytest.approx(1.0)


def test_blinks_and_head_stand_beside_the_reference(scores):
    assert scores["blinks per minute"].value == pytest.approx(15.0)
    assert scores["blinks per minute"].truth == pytest.approx(30.0)
    assert scores["head power, 0 to 0.5 Hz, of the true"].value == pytest.approx(2.0, rel=0.1)
    assert scores["head spectrum's difference, of the true power"].value == pytest.approx(1.0, rel=0.1)
    assert scores["head spectrum's difference, of the true power"].reached is False


def test_seeds_share_the_mouth_and_not_the_head(scores):
    assert scores["mouth correlation between seeds"].value > 0.9
    assert scores["head correlation between seeds"].value < 0.5
    assert not scores["head correlation between seeds"].higher_is_better


def seam(codes):
    """The measurement of clips (N, T, m), with borders at 20 and 49."""
    still = signals(np.random.default_rng(2))
    steps = [frame_steps(one[None]) for one in codes]
    clips = [MotionClip(still, still, [still], steps=one, reference_steps=one, borders=[20, 49]) for one in steps]
    return [one for one in MotionScores(clips).measurements({"clips": len(clips)}) if "border" in one.name]


def test_a_seam_is_seen_and_chance_is_none():
    smooth = np.cumsum(np.random.default_rng(2).normal(size=(20, FRAMES, 4)), axis=1)
    broken = smooth.copy()
    broken[:, 50:] += 3
    (without,), (found,) = seam(smooth), seam(broken)
    assert without.reached
    assert without.value < 1.3
    assert found.reached is False
    steps = np.abs(np.diff(broken, axis=1)).mean((0, 2))
    assert found.value == pytest.approx(steps[49] / np.median(steps))
    assert found.counts == {"clips": 20, "of lengths too rare": 0}
    assert seam(smooth[:3]) == []
    assert np.isnan(seam(np.zeros((8, FRAMES, 4)))[0].value)


def test_short_clips_have_no_spectrum_and_are_counted():
    rng = np.random.default_rng(1)
    long = signals(rng)
    short = Signals(long.mouth[:20], long.eyes[:20], long.head[:20])
    rows = MotionScores([MotionClip(long, long, [long]), MotionClip(short, short, [short])]).measurements({"clips": 2})
    head = next(one for one in rows if one.name.startswith("head power"))
    assert head.counts == {"clips": 1, "shorter than 2.0 s": 1}
    assert not any("between seeds" in one.name for one in rows)
    alone = MotionScores([MotionClip(short, short, [short])]).measurements({"clips": 1})
    assert not any("head power" in one.name for one in alone)
    fixed = Signals(long.mouth, long.eyes, np.concatenate([long.head[:, :3], np.ones((FRAMES, 1))], axis=1))
    assert all(
        np.isfinite(one.value) for one in MotionScores([MotionClip(fixed, fixed, [fixed])]).measurements({"clips": 1})
    )
