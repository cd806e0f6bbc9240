import numpy as np
import pytest

from s2tf.figures.video_grid import DIMMED, VideoGrid


def plain(height, width, value):
    return np.full((height, width, 3), (value, 0, value // 2), np.uint8)


def places(picture, value):
    """Rows and columns of the rectangle of `plain`."""
    found = (picture == (value, 0, value // 2)).all(axis=2)
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_videos_of_different_sizes_stand_beside_each_other_at_one_height_with_their_aspect():
    sizes = [(50, 50), (100, 60), (40, 80)]
    grid = VideoGrid(["a", "b", "c"], sizes)
    picture = grid.draw([plain(*size, value) for size, value in zip(sizes, (60, 110, 160), strict=True)], [False] * 3)
    assert picture.shape == (*grid.size, 3)
    assert not grid.size[0] % 2
    assert not grid.size[1] % 2
    found = [places(picture, value) for value in (60, 110, 160)]
    assert [bottom - top for top, bottom, _, _ in found] == [100, 100, 100]
    assert [right - left for _, _, left, right in found] == [100, 60, 200]
    assert len({top for top, _, _, _ in found}) == 1
    assert found[0][3] <= found[1][2] < found[1][3] <= found[2][2]


@pytest.mark.parametrize(("videos", "rows"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (9, 3)])
def test_many_videos_stand_in_rows(videos, rows):
    grid = VideoGrid([str(number) for number in range(videos)], [(40, 40)] * videos)
    picture = grid.draw([plain(40, 40, 50 + 10 * number) for number in range(videos)], [False] * videos)
    corners = [places(picture, 50 + 10 * number)[0] for number in range(videos)]
    assert len(set(corners)) == rows
    assert corners == sorted(corners)


def test_each_video_has_its_name_above_it_and_a_long_one_is_cut():
    frames, ended = [plain(64, 64, 100)] * 2, [False, False]
    nameless = VideoGrid(["", ""], [(64, 64)] * 2).draw(frames, ended)
    named = VideoGrid(["", "ours"], [(64, 64)] * 2).draw(frames, ended)
    top, _, left, right = places(named, 100)
    rows, columns = np.nonzero((named != nameless).any(axis=2))
    assert rows.max() < top
    assert columns.min() > (left + right) / 2
    long = VideoGrid(["a name that is much longer than its video is wide", "ours"], [(64, 64)] * 2).draw(frames, ended)
    rows, columns = np.nonzero((long != named).any(axis=2))
    assert columns.max() < (left + right) / 2


def test_a_video_that_has_ended_is_dimmed_and_says_so():
    grid = VideoGrid(["a", "b"], [(80, 80)] * 2)
    frames = [plain(80, 80, 200), plain(80, 80, 200)]
    picture, going = grid.draw(frames, [False, True]), grid.draw(frames, [False, False])
    _, _, left, right = places(going, 200)
    middle = (left + right) // 2
    assert np.array_equal(picture[:, :middle], going[:, :middle])
    top, bottom, begin, end = places(picture, int(200 * DIMMED))
    assert (bottom - top, end - begin) == (80, 80)
    # The word is brighter than what it stands on, and in the middle.
    rows, columns = np.nonzero((picture[top:bottom, begin:end] > 200).all(axis=2))
    assert abs(rows.mean() - 40) < 8
    assert abs(columns.mean() - 40) < 8
    assert len(rows) > 20


def test_a_very_tall_video_does_not_make_the_grid_too_large():
    grid = VideoGrid(["a", "b"], [(2160, 3840), (256, 256)])
    assert grid.size[0] < 600
    picture = grid.draw([plain(2160, 3840, 90), plain(256, 256, 50)], [False, False])
    assert places(picture, 90)[:2] == places(picture, 50)[:2]
