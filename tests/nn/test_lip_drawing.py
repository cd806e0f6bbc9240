import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s2tf.nn.lips import eye_opening, mouth_opening, mouth_region, place_lips, render_lips

NUMBER = st.floats(-1.0, 1.0, allow_nan=False, width=32)


def mouth(opening: float, width: float = 0.5) -> torch.Tensor:
    """(1, 20, 2): an outer contour around an inner one of height `opening`, centred on the origin."""
    outer = [2 * math.pi * k / 12 + math.pi for k in range(12)]
    inner = [2 * math.pi * k / 8 + math.pi for k in range(8)]
    points = [(width * math.cos(a), (opening / 2 + 0.15) * math.sin(a)) for a in outer]
    points += [(0.8 * width * math.cos(a), opening / 2 * math.sin(a)) for a in inner]
    return torch.tensor(points).unsqueeze(0)


@settings(max_examples=30, deadline=None)
@given(st.tuples(NUMBER, NUMBER, NUMBER, st.floats(-3.0, 3.0, width=32)))
def test_tensors_and_arrays_are_placed_alike(placement):
    lips = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 2))
    expected = place_lips(lips, np.asarray(placement, dtype=np.float64))
    placed = place_lips(torch.from_numpy(lips), torch.tensor(placement, dtype=torch.float64))
    np.testing.assert_allclose(placed.numpy(), expected, atol=1e-9)


def test_a_quarter_turn_takes_right_to_down():
    placed = place_lips(torch.tensor([[1.0, 0.0]]), torch.tensor([0.1, 0.2, math.log(0.5), math.pi / 2]))
    torch.testing.assert_close(placed, torch.tensor([[0.1, 0.7]]))


def test_the_drawn_opening_has_the_area_of_the_inner_contour():
    for opening in (0.2, 0.5):
        points = mouth(opening)
        x, y = points[0, 12:].T
        area = 0.5 * abs((x * y.roll(-1) - y * x.roll(-1)).sum().item())
        drawn = render_lips(points, 128)[0, 2].sum().item() * (2 / 128) ** 2
        assert drawn == pytest.approx(area, rel=0.03)


@settings(max_examples=20, deadline=None)
@given(NUMBER, NUMBER, st.integers(0, 10_000))
def test_drawing_stays_in_range_and_moves_with_the_points(dx, dy, seed):
    points = mouth(0.3, 0.3) * 0.5
    points = points + 0.02 * torch.randn(points.shape, generator=torch.Generator().manual_seed(seed))
    shift = torch.tensor([round(dx * 10), round(dy * 10)])
    drawn = render_lips(points, 64)
    moved = render_lips(points + shift * (2 / 64), 64)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    expected = torch.roll(drawn, (int(shift[1]), int(shift[0])), dims=(2, 3))
    torch.testing.assert_close(moved, expected, atol=1e-3, rtol=0)


def test_contours_lie_on_their_points():
    points = mouth(0.5)
    drawn = render_lips(points, 64)
    for channel, part in ((0, points[0, :12]), (1, points[0, 12:])):
        pixels = ((part + 1) * 32).long()
        assert (drawn[0, channel, pixels[:, 1], pixels[:, 0]] > 0.4).all()


def test_a_closed_mouth_shows_no_opening_and_lips_outside_draw_nothing():
    assert render_lips(mouth(0.0), 64)[0, 2].max() <= 0.5
    assert render_lips(mouth(0.3) + 10, 64).abs().max() == 0


def test_mouth_region_is_one_on_the_lips_and_zero_far_away():
    region = mouth_region(mouth(0.3, 0.2) * 0.5, 64)
    assert region.shape == (1, 1, 64, 64)
    assert region[0, 0, 31, 31] == 1
    assert region[0, 0, 0].abs().max() == 0


def test_openings_of_tensors_and_arrays_agree():
    lips, eyes = torch.randn(3, 5, 20, 2), torch.randn(3, 5, 12, 2)
    torch.testing.assert_close(mouth_opening(lips), torch.from_numpy(mouth_opening(lips.numpy())))
    torch.testing.assert_close(eye_opening(eyes), torch.from_numpy(eye_opening(eyes.numpy())))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 20, 2\)"):
        mouth_opening(eyes)
