import numpy as np
import pytest

from s2tf.faces.crop import FaceBox
from s2tf.figures.zoom import (
    GAP,
    LINE,
    ORANGE,
    RED,
    Regions,
    crop_regions,
    draw_zoom,
    eye_distance,
    face_regions,
    zoom_size,
)


def face(shift=0.0, size=1.0):
    """68 points whose eyes are 60 pixels apart around (100, 80), and whose lips are around (100, 130)."""
    points = np.tile(np.array([100.0, 100.0]), (68, 1))
    points[36:48] = (100, 80)
    points[36], points[45] = (70, 80), (130, 80)
    points[48:68] = (100, 130)
    return points * size + shift


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def centre(box):
    return np.array(box.centre)


def test_the_regions_are_around_eyes_and_lips_and_grow_with_the_face():
    assert eye_distance(face()) == pytest.approx(60)
    for size in (0.5, 1.0, 3.0):
        regions = face_regions(face(shift=7.0, size=size), 60 * size)
        assert centre(regions.eyes) == pytest.approx(np.array([100, 80]) * size + 7)
        assert centre(regions.lips) == pytest.approx(np.array([100, 130]) * size + 7)
        assert regions.eyes.left < 70 * size + 7 < 130 * size + 7 < regions.eyes.right
        assert regions.eyes.width == pytest.approx(96 * size)


def test_regions_of_another_system_are_scaled_to_the_picture():
    scaled = face_regions(face(), 60).scaled((200, 240), (100, 480))
    assert centre(scaled.eyes) == pytest.approx((200, 40))
    assert scaled.lips.width == pytest.approx(2 * 66)
    assert scaled.lips.height == pytest.approx(33 / 2)


def test_fixed_regions_hold_eyes_and_lips_of_synthetic_speakers():
    from datamodules.prepare.synthetic.clip import render_clip
    from datamodules.prepare.synthetic.speaker import make_speaker
    from s2tf.faces.crop import CropRule, square_box, to_crop

    regions = crop_regions((100, 100))
    for index in range(4):
        landmarks = render_clip(make_speaker(5, index), 0.2, 96, 0).landmarks
        inside = to_crop(landmarks, square_box(landmarks, CropRule()), 100)
        for points, box in ((inside[:, 36:48], regions.eyes), (inside[:, 60:68], regions.lips)):
            assert (points > (box.left, box.top)).all()
            assert (points < (box.right, box.bottom)).all()


@pytest.mark.parametrize(("height", "width"), [(120, 120), (120, 214), (120, 68)])
def test_what_is_below_the_frame_is_the_part_in_the_box_enlarged(height, width):
    frame = np.zeros((2 * height, 2 * width, 3), np.uint8)
    frame[20:40, 10:50] = (0, 200, 0)
    frame[60:80, 40:80] = (0, 0, 200)
    regions = Regions(FaceBox(10, 20, 50, 40), FaceBox(40, 60, 80, 80))
    drawn = draw_zoom(frame, regions, height, width)
    assert drawn.shape == (*zoom_size(height, width), 3)
    below = drawn[height + GAP :]
    # Of one colour each, but for the frames around them and what is blurred into them.
    parts = np.split(below, 2, axis=1) if width > 1.25 * height else np.split(below, 2, axis=0)
    for part, colour, line in zip(parts, ((0, 200, 0), (0, 0, 200)), (ORANGE, RED), strict=True):
        inside = part[part.shape[0] // 4 : -part.shape[0] // 4, part.shape[1] // 4 : -part.shape[1] // 4]
        assert (inside == colour).all()
        assert (part == line).all(axis=-1).any()
    assert (drawn[10, 5] == ORANGE).all()
    assert (drawn[30, 20] == RED).all()


def test_the_enlarged_part_is_that_part_of_the_frame_itself():
    frame = noise(64, 64)
    drawn = draw_zoom(frame, Regions(FaceBox(10, 20, 42, 36), FaceBox(0, 0, 2, 1)), 32, 32)
    part = drawn[32 + GAP : 32 + GAP + 16]
    # 32x16 pixels of the frame at their own size, not those of the frame that was scaled to half.
    assert np.array_equal(part[LINE:-LINE, LINE:-LINE], frame[20 + LINE : 36 - LINE, 10 + LINE : 42 - LINE])


def test_a_frame_without_regions_is_the_frame_alone_in_the_middle_of_its_place():
    frame = noise(30, 20)
    drawn = draw_zoom(frame, None, 30, 40)
    assert drawn.shape == (30, 40, 3)
    assert np.array_equal(drawn[:, 10:30], frame)
    assert (drawn[:, :10] == 255).all()


def test_a_region_over_the_border_repeats_the_outermost_pixels():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:, 0] = 90
    drawn = draw_zoom(frame, Regions(FaceBox(-60, 10, -20, 30), FaceBox(500, 500, 540, 520)), 40, 40)
    part = drawn[40 + GAP : 40 + GAP + 20]
    assert (part[LINE:-LINE, LINE:-LINE] == 90).all()
