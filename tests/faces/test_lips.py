import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2tf.faces.lips import canonical_face, to_canonical, to_picture_units, to_pixels
from s2tf.nn.lips import mouth_opening, place_lips


def face(seed=0, opening=0.1):
    """68 points with level eyes 0.6 apart, a mouth below them, and its inner lips `opening` eye distances apart."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.5, 0.5, (68, 2))
    points[[36, 39, 42, 45]] = [[-0.3, -0.1], [-0.1, -0.1], [0.1, -0.1], [0.3, -0.1]]
    points[27:31] = [[0.0, y] for y in (-0.1, -0.05, 0.0, 0.05)]
    points[48:68] = rng.uniform(-0.15, 0.15, (20, 2)) + np.array([0, 0.35])
    points[61:64, 1], points[65:68, 1] = 0.3, 0.3 + 0.6 * opening
    return points


similarities = st.tuples(
    st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2), st.floats(-3.1, 3.1)
)  # x, y, log scale, angle


@settings(max_examples=60, deadline=None)
@given(similarity=similarities, seed=st.integers(0, 1000))
def test_moving_turning_and_scaling_the_face_leaves_the_canonical_face(similarity, seed):
    x, y, log_scale, angle = similarity
    points = face(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T * np.exp(log_scale) + (x, y)
    before, after = canonical_face(points), canonical_face(moved)
    np.testing.assert_allclose(after.lips, before.lips, atol=1e-9)
    expected_centre = before.placement[:2] @ turn.T * np.exp(log_scale) + (x, y)
    np.testing.assert_allclose(after.placement[:2], expected_centre, atol=1e-9)
    assert after.placement[2] == pytest.approx(before.placement[2] + log_scale)
    assert after.placement[3] == pytest.approx(angle)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000))
def test_placing_is_the_inverse_for_any_number_of_frames(seed):
    points = np.stack([face(seed + index) + 0.01 * index for index in range(6)]).reshape(2, 3, 68, 2)
    points = points + np.random.default_rng(seed).normal(0, 0.02, points.shape)
    pose = canonical_face(points)
    assert pose.lips.shape == (2, 3, 20, 2)
    assert pose.placement.shape == (2, 3, 4)
    np.testing.assert_allclose(place_lips(pose.lips, pose.placement), points[..., 48:, :], atol=1e-12)


def test_any_points_go_into_the_frame_of_their_face_as_eyes_and_lips_do():
    points = np.stack([face(seed) for seed in range(3)])
    pose = canonical_face(points)
    points[1, 5] = np.nan
    canonical = to_canonical(points, pose.placement)
    np.testing.assert_allclose(canonical[:, 36:48], pose.eyes, atol=1e-12)
    np.testing.assert_allclose(canonical[:, 48:], pose.lips, atol=1e-12)
    assert np.isnan(canonical).any(axis=-1).sum() == 1


def test_the_placement_follows_the_stable_points_and_not_the_mouth():
    shut, talking = face(), face()
    talking[48:] += np.random.default_rng(1).normal(0, 0.1, (20, 2))
    talking[:17] += 0.1
    np.testing.assert_array_equal(canonical_face(shut).placement, canonical_face(talking).placement)


def test_the_documented_formula_by_hand():
    """Roll of 90°: the canonical x axis points down the picture, and canonical y to its left."""
    lips = np.zeros((20, 2))
    lips[0] = (1.0, 0.5)
    placed = place_lips(lips, np.array([0.25, -0.5, np.log(2.0), np.pi / 2]))
    np.testing.assert_allclose(placed[0], (0.25 - 2 * 0.5, -0.5 + 2 * 1.0), atol=1e-12)
    np.testing.assert_allclose(placed[1], (0.25, -0.5))


def test_mouth_opening_is_in_eye_distances():
    assert mouth_opening(canonical_face(face(opening=0.37)).lips) == pytest.approx(0.37)
    assert mouth_opening(canonical_face(face(opening=0.0)).lips) == pytest.approx(0.0)


def test_picture_units_are_the_edges_and_come_back():
    np.testing.assert_allclose(
        to_picture_units(np.array([[0, 0], [64, 64], [32, 16]]), 64), [[-1, -1], [1, 1], [0, -0.5]]
    )
    pixels = np.random.default_rng(0).uniform(0, 100, (5, 68, 2))
    np.testing.assert_allclose(to_pixels(to_picture_units(pixels, (50, 100)), (50, 100)), pixels)
    np.testing.assert_allclose(to_picture_units(np.array([100.0, 50.0]), (50, 100)), [1, 1])


def test_faces_without_a_frame_are_refused():
    collapsed = face()
    collapsed[45] = collapsed[36]
    with pytest.raises(ValueError, match="outer eye corners"):
        canonical_face(collapsed)
    broken = face()
    broken[50, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        canonical_face(broken)
    with pytest.raises(ValueError, match=r"\(\.\.\., 68, 2\)"):
        canonical_face(np.zeros((20, 2)))


def test_single_precision_stays_single():
    pose = canonical_face(face().astype(np.float32))
    assert pose.lips.dtype == pose.placement.dtype == np.float32
