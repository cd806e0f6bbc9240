import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from s2tf.faces.backends import (
    FACE_ALIGNMENT_WEIGHTS,
    FaceAlignmentLandmarks,
    open_detector,
    open_landmarks,
)
from s2tf.faces.crop import CropRule, FaceBox, SquareBox, choose_face, crop, fill_gaps, resize, square_box, to_crop
from s2tf.faces.face_mesh import MESH_TO_IBUG


def _landmarks(frames=5, centre=(100.0, 80.0), size=40.0):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))
    points[:4] = [(-0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (0.5, -0.5)]
    return np.tile(points * size + np.array(centre), (frames, 1, 1)).astype(np.float32)


def test_the_face_fills_the_share_of_the_picture_that_the_rule_says():
    rule = CropRule(scale=1.75, shift_y=-0.1, size=128)
    landmarks = _landmarks()
    inside = to_crop(landmarks, square_box(landmarks, rule), rule.size)
    extent = inside.max((0, 1)) - inside.min((0, 1))
    assert extent == pytest.approx(np.array([128, 128]) / 1.75, abs=1.5)
    centre = (inside.max((0, 1)) + inside.min((0, 1))) / 2
    assert centre == pytest.approx([64, 64 + 0.1 * 128 / 1.75], abs=1.5)


def test_a_moving_head_stays_inside_its_one_crop():
    rule = CropRule(size=128)
    landmarks = np.concatenate([_landmarks(10, (100 + step, 80)) for step in range(0, 120, 12)])
    inside = to_crop(landmarks, square_box(landmarks, rule), rule.size)
    assert inside.min() >= 0
    assert inside.max() <= 128


def test_one_bad_frame_hardly_moves_the_crop():
    landmarks = _landmarks(100)
    good = square_box(landmarks, CropRule())
    landmarks[50] = landmarks[50] * 3 + 200
    bad = square_box(landmarks, CropRule())
    assert abs(good.x - bad.x) <= 1
    assert abs(good.side - bad.side) <= 1


@given(st.integers(-50, 90), st.integers(-50, 70), st.integers(2, 120))
def test_cropping_repeats_the_border_and_keeps_the_inside(x, y, side):
    frame = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    cut = crop(frame, SquareBox(x, y, side), side)
    rows, columns = np.arange(y, y + side).clip(0, 59), np.arange(x, x + side).clip(0, 79)
    assert np.array_equal(cut, frame[np.ix_(rows, columns)])


def test_landmarks_stay_on_the_pixels_they_name():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[40:44, 60:64] = 255
    box = SquareBox(20, 10, 64)
    for size in (32, 64, 128):
        small = crop(frame, box, size)[..., 0].astype(float)
        rows, columns = np.mgrid[:size, :size] + 0.5
        seen = [(columns * small).sum() / small.sum(), (rows * small).sum() / small.sum()]
        assert to_crop(np.array([[62.0, 42.0]]), box, size)[0] == pytest.approx(seen, abs=0.05)


def test_the_rule_survives_json_and_refuses_what_is_wrong():
    rule = CropRule(scale=1.6, size=64)
    assert CropRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    with pytest.raises(ValueError, match="scale"):
        CropRule.from_json({**rule.to_json(), "scale": "big"})
    with pytest.raises(ValueError, match="zoom"):
        CropRule.from_json({**rule.to_json(), "zoom": 1})
    with pytest.raises(ValueError, match="65"):
        CropRule(size=65)


def test_the_largest_face_speaks_unless_a_point_is_given():
    small, large = FaceBox(0, 0, 10, 10), FaceBox(50, 50, 90, 90)
    assert choose_face([small, large]) is large
    assert choose_face([small, large], point=(8, 3)) is small
    with pytest.raises(ValueError, match="no face"):
        choose_face([])


def test_short_gaps_are_filled_and_long_ones_stay():
    landmarks = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 68, 2), np.float32)
    broken = landmarks.copy()
    broken[3:5] = np.nan
    broken[10:17] = np.nan
    filled = fill_gaps(broken, max_gap=3)
    assert np.allclose(filled[:10], landmarks[:10])
    assert np.isnan(filled[10:17]).all()
    assert np.allclose(fill_gaps(broken, max_gap=7), landmarks)


def test_area_averages_keep_the_mean_and_a_picture_of_the_right_size_is_left_alone():
    image = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(resize(image, 64), image)
    assert resize(image, 32).mean() == pytest.approx(image.mean(), abs=0.5)
    assert resize(image, 128).shape == (128, 128, 3)


def test_every_ibug_point_has_its_own_mesh_vertex():
    assert len(MESH_TO_IBUG) == 68
    assert max(max(pair) for pair in MESH_TO_IBUG) < 468
    points = np.array([pair[0] for pair in MESH_TO_IBUG])
    # Points 3 and 4 share the vertex between them.
    assert len(set(points)) == 68


def test_unknown_backends_are_refused_by_name():
    with pytest.raises(ValueError, match="'hog'"):
        open_detector("hog")
    with pytest.raises(ValueError, match="'hog'"):
        open_landmarks("hog")


def test_dlib_finds_no_face_in_noise():
    noise = np.random.default_rng(5).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert open_detector("dlib").detect(noise) == []


def test_a_missing_mediapipe_says_how_to_install_it():
    script = (
        "import sys; sys.modules['mediapipe'] = None\n"
        "from s2tf.faces.backends import open_landmarks\n"
        "try: open_landmarks('mediapipe')\n"
        "except ImportError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 'pip install "s2tf[mediapipe]"' in result.stdout


def test_face_alignment_without_weights_downloads_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="2DFAN4"):
        FaceAlignmentLandmarks()


@pytest.mark.slow
def test_face_alignment_follows_the_face_it_was_pointed_to(monkeypatch, tmp_path):
    from face_alignment.models import FAN

    torch.manual_seed(0)
    weights = tmp_path / "hub" / "checkpoints" / FACE_ALIGNMENT_WEIGHTS
    weights.parent.mkdir(parents=True)
    torch.save(FAN(4).state_dict(), weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    finder = FaceAlignmentLandmarks()
    frames = np.random.default_rng(0).integers(0, 255, (2, 200, 240, 3), np.uint8)
    box = FaceBox(80, 60, 160, 140)
    points = finder.landmarks(frames, box, start=1).points
    assert points.shape == (2, 68, 2)
    assert np.isfinite(points).all()
    # Weights that were never trained say nothing of a face, but they say the same wherever the picture is shifted to.
    shifted = np.roll(frames, (8, -16), axis=(1, 2))
    moved = finder.landmarks(shifted[1:], FaceBox(64, 68, 144, 148)).points
    assert np.allclose(moved[0], points[1] + [-16, 8], atol=1e-3)
