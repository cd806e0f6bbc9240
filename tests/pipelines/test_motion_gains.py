import math

import pytest
import torch

from s2tf.models.motion_reader import FaceState, MotionReader
from s2tf.nn.lips import eye_opening, mouth_opening
from s2tf.pipelines.motion_gains import Gains, scaled_codes, scaled_lips

MOTION = 10


@pytest.fixture
def moving():
    """A reader whose lips, eyes and placement depend on the code, a face, and codes that move."""
    torch.manual_seed(1)
    reader = MotionReader(8, MOTION, 32).requires_grad_(False)
    reader.layers[-1].weight *= 8
    # Open eyes: an opening below zero is none that could be closed further.
    reader.layers[-1].bias[40:64].view(12, 2)[[5, 4, 11, 10], 1] += 1.0
    z_id = torch.randn(1, 8)
    codes = 0.3 * torch.randn(40, MOTION)
    return reader, z_id, codes, torch.cov(codes.T)


def read(reader, z_id, codes):
    face = reader(z_id.expand(len(codes), -1), codes)
    return face.placement, mouth_opening(face.lips), eye_opening(face.eyes)


def scale(moving, gains):
    reader, z_id, codes, covariance = moving
    source = reader(z_id, codes[:1])
    return read(reader, z_id, scaled_codes(codes, z_id, source, reader, covariance, gains))


def test_gains_of_one_leave_the_codes_alone(moving):
    reader, z_id, codes, covariance = moving
    same = scaled_codes(codes, z_id, reader(z_id, codes[:1]), reader, covariance, Gains())
    torch.testing.assert_close(same, codes, atol=1e-4, rtol=0)
    assert not Gains().changes
    assert Gains(head=0.0).changes


def test_a_still_head_keeps_mouth_and_eyes_moving(moving):
    reader, z_id, codes, _ = moving
    before = read(reader, z_id, codes)
    placement, mouth, eyes = scale(moving, Gains(head=0.0))
    torch.testing.assert_close(placement, before[0][:1].expand_as(placement), atol=5e-3, rtol=0)
    torch.testing.assert_close(mouth, before[1], atol=5e-3, rtol=0)
    torch.testing.assert_close(eyes, before[2], atol=5e-3, rtol=0)
    assert before[0].std(0).max() > 0.05


@pytest.mark.parametrize(("gains", "moved"), [(Gains(lips=0.5), 1), (Gains(blink=0.0), 2), (Gains(head=1.5), 0)])
def test_each_gain_moves_its_own_reading_alone(moving, gains, moved):
    reader, z_id, codes, _ = moving
    before, after = read(reader, z_id, codes), scale(moving, gains)
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        same = torch.allclose(one, other, atol=5e-3)
        assert same == (index != moved), index
    if moved == 1:
        torch.testing.assert_close(after[1] - before[1].min(), 0.5 * (before[1] - before[1].min()), atol=5e-3, rtol=0)
    if moved == 2:
        assert after[2].std() < 0.1 * before[2].std()


def test_lips_rest_where_they_are_most_closed():
    lips = torch.zeros(5, 20, 2)
    lips[:, 17:20, 1] = torch.tensor([0.3, 0.1, 0.5, 0.2, 0.4])[:, None]
    assert torch.equal(scaled_lips(lips, 0.0), lips[1:2].expand(5, -1, -1))
    torch.testing.assert_close(mouth_opening(scaled_lips(lips, 2.0)), 0.1 + 2 * (mouth_opening(lips) - 0.1))


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_senseless_gains_are_named(value):
    with pytest.raises(ValueError, match=f"head gain is {value}"):
        Gains(head=value)


def test_the_state_of_a_face_has_its_parts():
    face = MotionReader(8, MOTION, 16)(torch.zeros(3, 8), torch.zeros(3, MOTION))
    assert isinstance(face, FaceState)
    assert (face.lips.shape, face.eyes.shape, face.placement.shape) == ((3, 20, 2), (3, 12, 2), (3, 4))
