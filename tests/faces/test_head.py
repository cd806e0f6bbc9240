import numpy as np
import pytest
import torch

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.faces.head import canonical_head
from s2tf.faces.lips import canonical_face
from s2tf.nn.lips import head_rotation, place_lips


@pytest.fixture(scope="module")
def clip():
    return render_clip(make_speaker(1, 0), 2.0, 64, 0)


@pytest.fixture(scope="module")
def points(clip):
    """The landmarks of a synthetic speaker in space, (T, 68, 3) picture units."""
    return np.concatenate([clip.landmarks / 32 - 1, clip.depth[..., None] / 32], axis=-1).astype(np.float64)


def turned(points, yaw=0.0, pitch=0.0):
    turn = head_rotation(np.array([0, 0, 0, 0, np.deg2rad(yaw), np.deg2rad(pitch)]))
    return points @ turn.T


@pytest.mark.parametrize(("yaw", "pitch"), [(20, 0), (-30, 0), (0, 15), (25, -10)])
def test_a_head_that_turns_moves_its_lips_a_tenth_of_what_it_does_in_the_plane(points, yaw, pitch):
    moved = turned(points, yaw, pitch)
    plane, space = (
        np.linalg.norm(face(moved[..., :axes]).lips - face(points[..., :axes]).lips, axis=-1).mean()
        for face, axes in ((canonical_face, 2), (canonical_head, 3))
    )
    assert plane > 0.02
    assert space < 0.1 * plane


def test_lips_in_space_get_the_head_s_turn_back_when_placed(points):
    pose = canonical_head(turned(points, 15, 5))
    np.testing.assert_allclose(place_lips(pose.lips, pose.placement), turned(points, 15, 5)[:, 48:, :2], atol=1e-9)
    tensors = place_lips(torch.from_numpy(pose.lips), torch.from_numpy(pose.placement))
    np.testing.assert_allclose(tensors.numpy(), turned(points, 15, 5)[:, 48:, :2], atol=1e-9)
    with pytest.raises(ValueError, match="yaw and pitch"):
        place_lips(pose.lips, pose.placement[..., :4])


def test_the_head_s_turn_is_the_speaker_s_own(clip, points):
    """Up to a constant: a person's build differs from the average head's."""
    placement = np.rad2deg(canonical_head(points).placement)
    for name, column in (("yaw", 4), ("pitch", 5)):
        off = placement[:, column] - np.array(clip.truth["frames"]["pose"][name])
        assert off.std() < 0.5, name


def test_landmarks_without_a_frame_or_depth_are_refused(points):
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 68, 3\)"):
        canonical_head(points[..., :2])
    with pytest.raises(ValueError, match="outer eye corners"):
        canonical_head(np.zeros((1, 68, 3)))
