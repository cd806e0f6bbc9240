"""Alignment of portraits: eyes at fixed places, and the choice of the most frontal pictures."""

import numpy as np
import pytest

from datamodules.prepare.synthetic.face import proportions
from datamodules.prepare.synthetic.layers import make_scene
from datamodules.prepare.synthetic.motion import Motion
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.faces.alignment import EYES, LEFT_EYE, RIGHT_EYE, align, eye_transform, most_frontal
from s2tf.faces.lips import to_picture_units

SIDE = 96


def landmarks(frames, **moved):
    """Landmarks (T, 68, 2) in pixels of a speaker at rest, but for the given tracks (T,)."""
    still = np.zeros(frames)
    tracks = {"yaw": still, "pitch": still, "roll": still, "zoom": still + 1, "blink": still, "brow": still}
    shift, gaze, viseme = np.zeros((frames, 2)), np.zeros((frames, 2)), np.zeros((frames, 4))
    if "opening" in moved:
        viseme[:, 0] = moved.pop("opening")
    if "shift" in moved:
        shift = np.stack([np.array(moved.pop("shift"))] * 2, axis=1)
    motion = Motion(**{**tracks, **{name: np.array(track, float) for name, track in moved.items()}}, shift=shift,
                    gaze=gaze, viseme=viseme)  # fmt: skip
    return make_scene(proportions(make_speaker(0, 3)), motion).landmarks * SIDE


@pytest.mark.parametrize(
    "track",
    [{"yaw": [12, -4, 0, -9]}, {"opening": [0.9, 0.3, 0, 0.5]}, {"blink": [1, 0.4, 0, 0.6]}],
    ids=["turned head", "open mouth", "closed eyes"],
)
def test_the_most_frontal_picture_comes_first_and_the_worst_last(track):
    points = to_picture_units(landmarks(4, **track), SIDE)
    assert most_frontal(points).tolist() == [2, 1, 3, 0]


def test_roll_place_and_size_of_a_face_do_not_make_it_less_frontal():
    points = landmarks(4, yaw=[0, 6, 6, 6], roll=[8, 0, 0, 0], shift=[0.05, 0, 0, 0], zoom=[0.9, 1, 1, 1])
    assert most_frontal(to_picture_units(points, SIDE))[0] == 0


@pytest.mark.parametrize("size", [48, 96, 128])
def test_eyes_lie_at_their_places(size):
    (points,) = landmarks(1, roll=[7.0], shift=[0.04], zoom=[1.05])
    # A picture that is dark but for a spot on each eye.
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for eye in (RIGHT_EYE, LEFT_EYE):
        distance = np.hypot(x - points[eye, 0].mean(), y - points[eye, 1].mean())
        picture[distance < 3] = 255
    aligned = align(picture, points, size)
    assert aligned.shape == (size, size, 3)
    bright = aligned[:, :, 0].astype(float)
    rows, columns = np.mgrid[:size, :size] + 0.5
    for (to_x, to_y), half in zip(EYES, (columns < size / 2, columns >= size / 2), strict=True):
        weights = bright * half
        found = [(axis * weights).sum() / weights.sum() / size for axis in (columns, rows)]
        np.testing.assert_allclose(found, (to_x, to_y), atol=0.012)


def test_an_aligned_face_is_left_as_it_is():
    points = np.random.default_rng(0).uniform(20, 70, (68, 2))
    points[RIGHT_EYE], points[LEFT_EYE] = np.array(EYES) * SIDE
    np.testing.assert_allclose(eye_transform(points, SIDE), [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    picture = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(align(picture, points, SIDE), picture)


def test_pictures_without_eyes_at_two_places_are_no_choice():
    points = to_picture_units(landmarks(4, yaw=[9, 3, 0, 6]), SIDE)
    points[2] = 0.1
    points[1, 40] = np.nan
    assert most_frontal(points).tolist() == [3, 0]
    assert most_frontal(points[1:3]).tolist() == []
    with pytest.raises(ValueError, match="landmarks of both eyes have the centre 5, 5: expected two places"):
        eye_transform(np.full((68, 2), 5.0), SIDE)
