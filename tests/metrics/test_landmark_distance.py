import numpy as np
import pytest

from s2tf.metrics.landmark_distance import LandmarkDistance, landmark_distances

SIZE = 100
FRAMES = 9


def faces(seed=0):
    """Level faces (T, 68, 2) whose outer corners of the eyes are 40 pixels apart."""
    points = np.random.default_rng(seed).uniform(30, 70, size=(FRAMES, 68, 2))
    points[:, 36], points[:, 45] = (30, 40), (70, 40)
    return points


def test_a_face_that_is_elsewhere_is_far_in_the_picture_and_not_in_its_own_frame():
    true = faces()
    distances = landmark_distances(true + np.array([3, -4]), true, SIZE)
    assert distances["face"] == pytest.approx(100 * 5 / 40)
    assert distances["lips"] == pytest.approx(100 * 5 / 40)
    assert distances["canonical_lips"] == pytest.approx(0, abs=1e-9)


def test_lips_that_open_count_for_the_lips():
    true = faces()
    made = true.copy()
    made[:, 65:68, 1] += 4
    distances = landmark_distances(made, true, SIZE)
    assert distances["lips"] == pytest.approx(100 * 3 / 20 * 4 / 40)
    assert distances["canonical_lips"] == pytest.approx(distances["lips"])
    assert distances["face"] == pytest.approx(distances["lips"] * 20 / 68)


def test_the_unit_is_the_true_faces_size():
    true = faces()
    centre = np.array([50.0, 50.0])
    made = centre + 2 * (true - centre)
    larger = landmark_distances(made, true, SIZE)["face"]
    assert landmark_distances(true, made, SIZE)["face"] == pytest.approx(larger / 2)


def test_landmarks_that_shake_more_are_farther():
    rng, true = np.random.default_rng(1), faces()
    shake = rng.normal(size=true.shape)
    shake[:, (36, 45)] = 0
    for name in LandmarkDistance.NAMES:
        values = [landmark_distances(true + strength * shake, true, SIZE)[name].mean() for strength in (0, 1, 2, 4)]
        assert values == sorted(set(values))


def test_frames_without_a_face_on_either_side_are_counted_and_in_no_mean():
    true = faces()
    made = true + 2.0
    made[2], true[5] = np.nan, np.nan
    made[7, 36] = made[7, 45]
    metric = LandmarkDistance({"landmarks": "some"})
    metric.update(made, true, SIZE)
    assert metric.compute()["face"].item() == pytest.approx(100 * 8**0.5 / 40)
    assert metric.protocol["landmarks"] == "some"
    assert metric.protocol["frames"] == FRAMES - 3
    assert metric.protocol["frames without a face"] == 3


def test_nothing_read_is_no_number():
    metric = LandmarkDistance({"landmarks": "some"})
    metric.update(np.full((2, 68, 2), np.nan), faces()[:2], SIZE)
    assert metric.compute()["lips"].isnan()


def test_parts_in_any_split_are_the_whole():
    true = faces()
    made = true + np.random.default_rng(1).normal(size=true.shape)
    whole, one, other = (LandmarkDistance({}) for _ in range(3))
    whole.update(made, true, SIZE)
    one.update(made[:2], true[:2], SIZE)
    other.update(made[2:], true[2:], SIZE)
    one.merge_state(other)
    for name, value in whole.compute().items():
        assert one.compute()[name].item() == pytest.approx(value.item(), rel=1e-12)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"expected equal \(T, 68, 2\)"):
        landmark_distances(faces()[:3], faces(), SIZE)
