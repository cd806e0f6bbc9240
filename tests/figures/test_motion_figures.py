import numpy as np
from PIL import Image

from s2tf.figures.motion_figures import draw_curves, draw_traces


def circle(frames, radius=1.0, points=3):
    angle = np.linspace(0, 2 * np.pi, frames)
    path = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return path[:, None] + np.arange(points)[None, :, None] * np.array([0.5, 0.0])


def coloured(path):
    """Pixels with a hue: what is drawn of the paths and curves, not axes and letters."""
    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    return (picture.max(axis=2) - picture.min(axis=2)) > 40


def drawn_columns(path, systems):
    """Coloured pixels in each system's part of the figure, whose right edge holds the colour bar."""
    return [int(part.sum()) for part in np.array_split(coloured(path)[:, :-140], systems, axis=1)]


def test_a_system_that_moves_more_has_the_larger_map_in_the_common_scale(tmp_path):
    still, small, large = (circle(50, radius) for radius in (0.01, 0.3, 1.0))
    draw_traces({"row": {"still": still, "small": small, "large": large}}, 25, "eye", tmp_path / "a.png")
    first, second, third = drawn_columns(tmp_path / "a.png", 3)
    assert first < second < third


def test_a_face_that_is_not_seen_leaves_the_map_empty_and_says_so(tmp_path):
    unseen = np.full((50, 3, 2), np.nan)
    draw_traces({"row": {"a": circle(50), "b": unseen}}, 25, "eye", tmp_path / "a.png")
    seen, nothing = drawn_columns(tmp_path / "a.png", 2)
    assert seen > 100
    assert nothing == 0
    draw_traces({"row": {"b": unseen}}, 25, "eye", tmp_path / "b.png")


def test_no_path_is_drawn_across_a_gap(tmp_path):
    apart = circle(50)
    apart[25:] += 20
    draw_traces({"row": {"a": apart}}, 25, "eye", tmp_path / "through.png")
    apart[25] = np.nan
    draw_traces({"row": {"a": apart}}, 25, "eye", tmp_path / "gap.png")
    assert coloured(tmp_path / "gap.png").sum() < coloured(tmp_path / "through.png").sum() - 100


def test_a_value_that_is_not_known_leaves_a_gap_in_its_curve(tmp_path):
    values = np.sin(np.arange(100) / 5)
    broken = values.copy()
    broken[30:70] = np.nan
    for name, curve in (("whole", values), ("broken", broken)):
        draw_curves({"mouth": {"first": values[:1], name: curve}}, None, 25, "units", tmp_path / f"{name}.png")
    whole, gap = coloured(tmp_path / "whole.png").sum(), coloured(tmp_path / "broken.png").sum()
    assert 0.4 * whole < gap < 0.8 * whole


def test_the_sound_has_a_panel_of_its_own(tmp_path):
    panels = {"mouth": {"a": np.zeros(50)}}
    draw_curves(panels, None, 25, "units", tmp_path / "mute.png")
    draw_curves(panels, np.linspace(-50, -10, 50), 25, "units", tmp_path / "loud.png")
    mute, loud = (coloured(tmp_path / f"{name}.png").shape for name in ("mute", "loud"))
    assert loud[0] > mute[0]
    assert loud[1] == mute[1]


def test_a_video_of_one_frame_can_be_drawn(tmp_path):
    draw_traces({"row": {"a": circle(1)}}, 25, "eye", tmp_path / "a.png")
    draw_curves({"mouth": {"a": np.zeros(1)}}, np.array([-20.0]), 25, "units", tmp_path / "b.png")
    assert (tmp_path / "a.png").is_file()
    assert (tmp_path / "b.png").is_file()
