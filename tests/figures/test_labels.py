"""Labels in every script: legible letters or numbers, never boxes."""

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from s2tf.figures import labels
from s2tf.figures.motion_figures import draw_curves, draw_sync, draw_traces
from s2tf.figures.sheet import draw_grid
from s2tf.figures.video_grid import VideoGrid

CHINESE, RUSSIAN = "真実", "Наш"


@pytest.fixture
def no_fonts(monkeypatch):
    """A machine without any fonts."""
    monkeypatch.setattr(labels, "system_fonts", list)
    labels.find_font.cache_clear()
    yield
    labels.find_font.cache_clear()


@pytest.fixture
def chinese_font(monkeypatch, tmp_path):
    """A machine with a font that has the Chinese letters, as full squares."""
    letters = sorted(set(CHINESE + "abcdefghijklmnopqrstuvwxyzA0123456789(:)., "))
    names = [".notdef", *(f"g{ord(letter)}" for letter in letters)]
    pen = TTGlyphPen(None)
    for index, corner in enumerate([(100, 0), (100, 700), (800, 700), (800, 0)]):
        (pen.lineTo if index else pen.moveTo)(corner)
    pen.closePath()
    square, empty = pen.glyph(), TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"g{ord(letter)}" for letter in letters})
    builder.setupGlyf({name: empty if name in (".notdef", "g32") else square for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "squares.ttf")
    (tmp_path / "no-font.ttf").write_text("none")
    monkeypatch.setattr(labels, "system_fonts", lambda: [str(tmp_path / "no-font.ttf"), str(tmp_path / "squares.ttf")])
    labels.find_font.cache_clear()
    yield tmp_path / "squares.ttf"
    labels.find_font.cache_clear()


def test_what_no_font_has_is_a_number_that_is_told(no_fonts):
    shown = labels.drawable(["ours", CHINESE, RUSSIAN, "3", "実", "a\nb", "caf\udce9"])
    assert shown[RUSSIAN] == RUSSIAN
    assert (shown["ours"], shown["3"]) == ("ours", "3")
    assert len(set(shown.values())) == 7
    assert shown[CHINESE] == "2"
    assert all(labels.can_draw(text) for text in shown.values())
    assert labels.legend(shown).startswith(f"on the pictures 2 = {CHINESE}, 5 = 実, 6 = ")
    assert labels.legend(labels.drawable(["ours", RUSSIAN])) is None


def test_a_font_of_the_machine_is_taken_if_it_has_the_letters(chinese_font):
    assert labels.drawable([CHINESE, RUSSIAN]) == {CHINESE: CHINESE, RUSSIAN: RUSSIAN}
    assert labels.find_font(f"{CHINESE}: 1.5, a") == str(chinese_font)
    text, font = labels.font_for(CHINESE, 20)
    assert (text, font.getname()) == (CHINESE, ("Squares", "Regular"))


def test_composed_and_decomposed_labels_look_the_same(no_fonts):
    one, other = (draw_grid([(name, [np.zeros((8, 8, 3), np.uint8)])]) for name in ("Zoë", "Zoe\u0308"))
    assert np.array_equal(np.asarray(one), np.asarray(other))


def drawn(text):
    """A sheet's row name alone, as rows and columns of ink."""
    sheet = np.asarray(draw_grid([(text, [np.full((32, 32, 3), 255, np.uint8)])], size=32))
    return sheet[:, :-45].min(axis=2) < 128


def test_different_letters_look_different_on_a_sheet(no_fonts):
    """Boxes are all the same."""
    shapes = [drawn(text) for text in ("Н", "а", "ш", "é", "—", "β", "真", "実")]
    assert len({(shape.shape, shape.tobytes()) for shape in shapes}) == len(shapes)


def test_names_above_videos_are_drawn_by_the_font_that_has_them(chinese_font):
    frame = np.full((64, 64, 3), 128, np.uint8)
    named, nameless = (VideoGrid([name], [(64, 64)]).draw([frame], [False]) for name in (CHINESE, ""))
    ink = (named != nameless).any(axis=2)
    rows, columns = np.nonzero(ink)
    # Two full squares.
    assert ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].mean() > 0.6


@pytest.mark.parametrize(
    "name", [CHINESE, RUSSIAN, "_ours", "a$b$", "$", "\\alpha", "a_b^c", "العربية", "हिन्दी", "100%"]
)
def test_figures_draw_any_name_without_a_warning(no_fonts, tmp_path, name):
    """Warnings are errors in tests; a dollar sign begins no formula, an underscore hides no name."""
    (shown,) = labels.drawable([name]).values()
    points = np.random.default_rng(0).normal(size=(5, 3, 2))
    draw_traces({"row": {shown: points}}, 25, "eye", tmp_path / "t.png")
    draw_curves({"mouth": {shown: np.zeros(5)}}, None, 25, "units", tmp_path / "c.png")
    draw_sync([1, 0, -1], {f"{shown}: LSE-D 1": [1.0, 0.5, 1.0]}, tmp_path / "s.png")
    draw_curves({"mouth": {" ": np.zeros(5)}}, None, 25, "units", tmp_path / "none.png")
    with Image.open(tmp_path / "c.png") as one, Image.open(tmp_path / "none.png") as other:
        width, height = one.size
        top = (width // 2, 0, width, height // 5)
        assert np.asarray(one.crop(top)).sum() < np.asarray(other.crop(top)).sum()


def test_even_without_a_choice_before_no_box_is_drawn(no_fonts):
    text, font = labels.font_for(CHINESE, 12)
    assert text == "\\u771f\\u5b9f"
    ImageDraw.Draw(Image.new("L", (200, 20))).text((0, 0), text, font=font, fill=255)
