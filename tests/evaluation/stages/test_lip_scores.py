import numpy as np
import pytest

from s2tf.evaluation.stages.lip_scores import LipClip, lip_scores

FRAMES = 40


def lips(opening):
    """(T, 20, 2) whose inner lips are that far apart."""
    shape = np.zeros((len(opening), 20, 2))
    shape[:, 17:20, 1] = np.asarray(opening)[:, None]
    return shape


def rows(silent):
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(5):
        opening = rng.uniform(0.02, 0.2, FRAMES)
        generated = opening + 0.01 * rng.normal(size=FRAMES)
        wrong = rng.uniform(0.02, 0.2, FRAMES)
        clips.append(LipClip(lips(opening), lips(generated), lips(np.full(20, silent)), lips(wrong)))
    return {one.name: one for one in lip_scores(clips, {"clips": 5})}


def test_lips_that_follow_are_told_from_lips_for_another_speech():
    scores = rows(0.02)
    assert scores["mouth correlation"].value > 0.95
    assert abs(scores["mouth correlation"].baseline) < 0.2
    # Three of the twenty points move.
    assert scores["lip error"].value == pytest.approx(3 / 20 * 0.01 * (2 / np.pi) ** 0.5, rel=0.2)
    assert scores["lip error"].baseline > 5 * scores["lip error"].value


@pytest.mark.parametrize(("silent", "closed"), [(0.01, True), (0.11, False)])
def test_a_mouth_that_stays_open_in_silence_is_seen(silent, closed):
    silence = rows(silent)["opening in silence, in the speaker's range"]
    assert silence.reached is closed
    assert silence.value == pytest.approx(0.5 if not closed else 0.0, abs=0.15)
    assert silence.baseline == pytest.approx(0.5, abs=0.1)


def test_a_mouth_that_never_moves_has_no_share_and_is_counted():
    still = LipClip(lips(np.full(9, 0.1)), lips(np.full(9, 0.1)), lips(np.full(5, 0.1)), lips(np.full(9, 0.1)))
    silence = lip_scores([still], {"clips": 1})[-1]
    assert silence.counts == {"clips": 0, "still": 1}
    assert np.isnan(silence.value)
    assert silence.reached is False
