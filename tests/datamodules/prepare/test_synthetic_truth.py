"""The truth of a seed stays: frames and judges of earlier versions were measured against it."""

import numpy as np
import pytest

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from datamodules.prepare.synthetic.stills import render_stills

POINTS = (8, 17, 30, 37, 48, 62, 66)
# x, y and depth of these landmarks in frame 9; the waveform's mean size; yaw and opening of the mouth. The numbers come
# from the version that drew polygons. Numbers within a tolerance, not a hash: another machine may round otherwise.
CLIPS = {
    (0, 0): (
        [
            [35.008, 48.202, -5.377],
            [19.321, 22.825, -5.167],
            [33.724, 33.561, -13.51],
            [24.061, 25.739, -5.377],
            [27.066, 41.033, -5.495],
            [34.257, 39.936, -8.826],
            [34.58, 43.145, -8.845],
        ],
        (0.067043, 1.3123, 0.4008),
    ),
    (3, 5): (
        [
            [36.749, 46.733, -5.696],
            [24.518, 20.343, -7.52],
            [38.834, 32.36, -13.171],
            [28.942, 23.135, -6.855],
            [29.297, 39.287, -7.243],
            [37.66, 39.818, -8.898],
            [37.641, 40.942, -8.931],
        ],
        (0.062302, 13.0908, 0.1423),
    ),
    (8, 2): (
        [
            [29.375, 50.418, -8.141],
            [14.403, 18.902, -3.709],
            [28.431, 33.178, -15.168],
            [19.058, 22.069, -4.644],
            [23.79, 41.193, -6.87],
            [28.823, 40.815, -12.461],
            [28.859, 42.517, -12.627],
        ],
        (0.064458, -3.7937, 0.23),
    ),
}


@pytest.mark.parametrize("person", CLIPS)
def test_landmarks_depth_voice_and_pose_of_a_seed_stay(person):
    clip = render_clip(make_speaker(*person), 0.6, 64, 1)
    places = np.concatenate([clip.landmarks[9], clip.depth[9][:, None]], axis=1)[list(POINTS)]
    np.testing.assert_allclose(places, CLIPS[person][0], atol=2e-3)
    frames = clip.truth["frames"]
    rest = np.abs(clip.waveform).mean(), frames["pose"]["yaw"][9], frames["viseme"]["opening"][9]
    np.testing.assert_allclose(rest, CLIPS[person][1], atol=2e-4)


def test_moments_of_stills_stay():
    landmarks = render_stills(make_speaker(3, 5), 2, 64, 4).landmarks
    np.testing.assert_allclose(
        landmarks[1, [8, 37, 62]], [[33.323, 48.881], [25.943, 25.705], [34.319, 42.28]], atol=2e-3
    )


def test_stills_show_lids_between_open_and_closed_if_asked_to():
    speaker = make_speaker(3, 5)
    plain, blinking = (render_stills(speaker, 40, 64, 4, blinks=share) for share in (0.0, 0.5))

    def opening(stills):
        return (stills.landmarks[:, 41] - stills.landmarks[:, 37])[:, 1]

    changed = opening(blinking) < 0.95 * opening(plain)
    assert 10 <= changed.sum() <= 25
    assert opening(blinking).min() < 0.15 * opening(plain).max()
    # Nothing else moves, and the other pictures are the same.
    np.testing.assert_array_equal(plain.landmarks[:, 48:], blinking.landmarks[:, 48:])
    same = np.isclose(opening(blinking), opening(plain))
    np.testing.assert_array_equal(plain.frames[same], blinking.frames[same])
