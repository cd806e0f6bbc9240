"""Targets of pictures: detail, noise, distance of distributions, and eyes that a detector finds."""

import cv2
import numpy as np
import pytest
import torch

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.demo.picture_targets import detection_target, picture_targets, true_faces, video_target
from s2tf.faces.alignment import EYES, LEFT_EYE, RIGHT_EYE

SIDE = 48


@pytest.fixture(scope="module")
def clips():
    return [render_clip(make_speaker(5, index), 0.8, 64, 0) for index in range(8)]


@pytest.fixture(scope="module")
def true(clips):
    return true_faces([clip.frames for clip in clips], [clip.landmarks for clip in clips], SIDE)


def embed(pictures):
    """Mean colours of the halves: features of few dimensions, which eight pictures span."""
    halves = np.asarray(pictures, np.float64).reshape(len(pictures), 2, -1, 3).mean(axis=2)
    return torch.from_numpy(halves.reshape(len(pictures), -1))[:, :3]


def by_name(measurements):
    return {one.name: one for one in measurements}


def test_true_faces_reach_every_target(true):
    rows = by_name(picture_targets(embed, true, true))
    assert rows["portrait sharpness"].value == pytest.approx(1)
    assert rows["portrait background noise"].value == pytest.approx(1)
    distance = rows["portrait Fréchet distance"]
    assert distance.value == pytest.approx(distance.truth)
    assert all(row.reached is not False for row in rows.values())


def test_fog_lacks_detail_and_noise_is_no_detail(true):
    def sharpness_and_noise(pictures):
        rows = by_name(picture_targets(embed, pictures, true))
        return rows["portrait sharpness"], rows["portrait background noise"]

    fog = np.stack([cv2.GaussianBlur(picture, (0, 0), 3) for picture in true])
    sharp, quiet = sharpness_and_noise(fog)
    assert (sharp.reached, quiet.reached) == (False, True)
    assert sharpness_and_noise(true)[0].target == 0.7
    noise = np.random.default_rng(0).normal(0, 12, true.shape)
    sharp, quiet = sharpness_and_noise(np.clip(true + noise, 0, 255).astype(np.uint8))
    assert quiet.value > 1.5
    assert quiet.reached is False
    # Noise reaches any detail: more than 1.2 of the true faces' is too much.
    assert sharp.value > 1.2
    assert (sharp.target, sharp.reached) == (1.2, False)


def test_one_face_for_all_is_far_from_the_faces(true):
    same = np.repeat(true[:1], len(true), axis=0)
    distance = by_name(picture_targets(embed, same, true))["portrait Fréchet distance"]
    assert distance.value > 2 * distance.truth


def test_few_portraits_have_no_distribution(true):
    assert "portrait Fréchet distance" not in by_name(picture_targets(embed, true[:3], true[:3]))


def test_videos_are_compared_at_their_own_size(clips):
    videos = [clip.frames for clip in clips]
    large = [np.repeat(np.repeat(video, 2, axis=1), 2, axis=2) for video in videos]
    assert video_target(large, videos).value == pytest.approx(1, abs=0.02)
    still = video_target(videos, [np.full_like(video, 90) for video in videos])
    assert (still.value, still.reached) == (0, False)


def test_a_face_is_found_if_both_eyes_are_at_their_places(true):
    order = true.reshape(len(true), -1).mean(axis=1).argsort()
    asked = []

    def find(pictures):
        # A detector may follow a face from picture to picture: each portrait has a call of its own.
        assert len(pictures) == 1
        number = order.tolist().index(len(asked) % len(true))
        asked.append(number)
        points, side = np.zeros((1, 68, 2)), pictures.shape[1]
        points[:, RIGHT_EYE], points[:, LEFT_EYE] = np.array(EYES)[0] * side, np.array(EYES)[1] * side
        # The darkest picture has no face, and the next one an eye on its forehead.
        if number == 0:
            points[:] = np.nan
        if number == 1:
            points[:, LEFT_EYE, 1] -= 0.2 * side
        return points

    row = detection_target(find, true, true)
    assert (row.value, row.truth) == (0.75, 0.75)
    assert row.target == pytest.approx(0.95 * 0.75)
    assert row.reached


def test_a_clip_without_landmarks_of_eyes_is_shown_as_it_is(clips):
    flat = np.zeros((len(clips[0].frames), 68, 2))
    (face,) = true_faces([clips[0].frames], [flat], 64)
    assert np.array_equal(face, clips[0].frames[0])
