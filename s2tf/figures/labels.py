"""Labels on pictures: drawn by a font of this machine that has their letters, or numbers in the place of the labels."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from unicodedata import bidirectional, category

from PIL import ImageFont, features

from s2tf.tables.names import normal_name

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
LATIN = "Aa0(:)"
"""Letters that every font must have, since numbers and remarks stand beside names."""
SHAPING = (3, 11)
"""First version of matplotlib that joins letters and writes from right to left."""
WORSE = ("bold", "black", "heavy", "light", "thin", "medium", "italic", "oblique", "condensed", "mono", "serif")
"""Words in the names of fonts that are taken only if no other has the letters."""
UNFIT = ("lastresort", "adobeblank", "emoji", "unifont")
"""Words in the names of fonts that have boxes, nothing or coloured pictures in the place of letters."""


def drawable(labels: Sequence[str]) -> dict[str, str]:
    """Choose what stands on pictures for each label: the label, or a number if no font has its letters."""
    shown = {label: normal_name(label) for label in labels}
    taken = {text for text in shown.values() if can_draw(text)}
    for number, label in enumerate(labels, start=1):
        if not can_draw(shown[label]):
            free = (str(other) for other in range(number, number + len(labels) + 1))
            shown[label] = next(text for text in free if text not in taken)
            taken.add(shown[label])
    return shown


def legend(shown: Mapping[str, str]) -> str | None:
    """Say which label each number of `drawable` stands for; None if all labels are drawn themselves."""
    replaced = [f"{text} = {label}" for label, text in shown.items() if text != normal_name(label)]
    if not replaced:
        return None
    return (
        f"on the pictures {', '.join(replaced)}: no font on this machine has these letters (a package such as "
        "fonts-noto-cjk has them)"
    )


def can_draw(text: str) -> bool:
    """True if a font has all letters of a text."""
    return _is_plain(text) or find_font(text) is not None


def font_for(text: str, size: int) -> tuple[str, Font]:
    """Return a text as it can be drawn, and the font that draws it.

    Letters that no font has are replaced by escapes with their numbers.

    Args:
        text: The text.
        size: Height of the letters in pixels.
    """
    text = normal_name(text)
    file = None if _is_plain(text) else find_font(text)
    if file is not None:
        return text, ImageFont.truetype(file, size)
    return text.encode("ascii", "backslashreplace").decode(), ImageFont.load_default(size=size)


def _is_plain(text: str) -> bool:
    # Pillow's own font has little else than these letters.
    return text.isascii() and text.isprintable()


@cache
def find_font(text: str) -> str | None:
    """Find the file of a font that has all letters of a text; None if there is none."""
    if not text.isprintable() or (_is_shaped(text) and not _shapes()):
        return None
    letters = {letter for letter in text + LATIN if not letter.isspace()}
    return next((file for file in (own_font(), *system_fonts()) if _has(file, letters)), None)


def own_font() -> str:
    """Return the file of the font that comes with matplotlib: Latin, Greek, Cyrillic and more."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def system_fonts() -> list[str]:
    """List the files of this machine's fonts, the plainest first."""
    from matplotlib.font_manager import findSystemFonts

    files = [file for file in findSystemFonts() if not any(word in Path(file).stem.lower() for word in UNFIT)]
    return sorted(files, key=lambda file: (_plainness(Path(file).stem.lower()), file))


def _plainness(name: str) -> tuple[int, bool]:
    # "Sans Serif" is no serif.
    return sum(word in name.replace("sansserif", "sans") for word in WORSE), "regular" not in name


def _has(file: str, letters: set[str]) -> bool:
    """True if a font has all letters, and every one of them leaves ink."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
        if not font.scalable or not all(font.get_char_index(ord(letter)) for letter in letters):
            return False
        drawn = ImageFont.truetype(file, 20)
        # A mark that belongs to the letter before it may have no ink of its own.
        return all(drawn.getmask(letter).getbbox() for letter in letters if not category(letter).startswith("M"))
    except (OSError, RuntimeError, ValueError):
        return False


def _is_shaped(text: str) -> bool:
    """True if letters are joined, reordered, or written from right to left, as in Arabic, Hebrew or Hindi."""
    return any(bidirectional(one) in ("R", "AL") or category(one) in ("Mn", "Mc") for one in text)


def _shapes() -> bool:
    """True if both Pillow and matplotlib can draw such text."""
    import matplotlib

    return bool(features.check("raqm")) and matplotlib.__version_info__[:2] >= SHAPING
