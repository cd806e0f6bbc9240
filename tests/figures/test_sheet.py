import numpy as np

from s2tf.figures.sheet import draw_grid


def test_a_grid_of_pictures_that_are_not_square_shows_them_unchanged_and_as_many_rows_and_columns():
    pictures = [[np.full((20, 34, 3), (50 * row, 40 * column, 7), np.uint8) for column in range(3)] for row in range(2)]
    names = ("a", "longer")
    sheet = np.asarray(draw_grid(list(zip(names, pictures, strict=True)), captions=["x", "y", "z"], size=(20, 34)))
    for row in range(2):
        for column in range(3):
            rows, columns = np.nonzero((sheet == (50 * row, 40 * column, 7)).all(axis=2))
            assert len(rows) == 20 * 34
            assert (np.ptp(rows), np.ptp(columns)) == (19, 33)


def test_larger_letters_take_more_room_and_leave_the_pictures_alone():
    rows = [("name", [np.full((30, 30, 3), (9, 200, 9), np.uint8)])]
    small, large = (np.asarray(draw_grid(rows, captions=["0 s"], size=30, text=text)) for text in (13, 26))
    assert large.shape[0] > small.shape[0]
    assert large.shape[1] > small.shape[1]
    for sheet in (small, large):
        assert (sheet == (9, 200, 9)).all(axis=2).sum() == 900
