"""Sheets of pictures: a speaker's reference and generated face and video, many clips, and grids of rows."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from s2tf.figures.labels import font_for

GAP = 6
MARGIN = 10
TEXT = 13
CAPTION = TEXT + 5
BACKGROUND = (255, 255, 255)
INK = (40, 40, 40)
FRAMES = 8


def sheet_indices(frame_count: int, columns: int = FRAMES) -> list[int]:
    """Return the frames that a sheet shows: `columns` frames, evenly from first to last; repeated if there are fewer.

    Raises:
        ValueError: There is no frame.
    """
    if frame_count < 1:
        raise ValueError("a sheet needs at least one frame")
    return [round(position) for position in np.linspace(0, frame_count - 1, columns)]


def draw_sheet(
    reference_face: np.ndarray,
    portrait: np.ndarray,
    reference_frames: Sequence[np.ndarray],
    generated_frames: Sequence[np.ndarray],
    *,
    captions: Sequence[str] = (),
    title: str = "",
    size: int = 128,
) -> Image.Image:
    """Draw two rows: the reference face and the reference frames, below them the portrait and the generated frames.

    Args:
        reference_face: (H, W, 3) uint8 RGB, the speaker's face.
        portrait: (H, W, 3) uint8 RGB, the face generated from the speech.
        reference_frames: Frames of the reference video, (H, W, 3) uint8 each.
        generated_frames: Equally many frames of the generated video, at the same times.
        captions: A line above each pair of frames, such as its time; empty for none.
        title: A line above everything.
        size: Side of each picture on the sheet, pixels.

    Raises:
        ValueError: The numbers of frames or captions differ.
    """
    columns = len(reference_frames)
    if len(generated_frames) != columns or (captions and len(captions) != columns):
        raise ValueError(
            f"{columns} reference frames, {len(generated_frames)} generated frames, {len(captions)} captions: "
            "expected equal numbers"
        )
    rows = [("reference", reference_face, reference_frames), ("generated", portrait, generated_frames)]
    # Places of the faces and frames.
    left = MARGIN + CAPTION
    first_frame = left + size + 3 * GAP
    top = MARGIN + (CAPTION if title else 0) + CAPTION
    width = first_frame + columns * (size + GAP) - GAP + MARGIN
    height = top + 2 * (size + GAP) - GAP + MARGIN
    # Title and captions.
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    if title:
        _write(sheet, (left, MARGIN), title)
    _write(sheet, (left, top - CAPTION), "face")
    for column, caption in enumerate(captions):
        _write(sheet, (first_frame + column * (size + GAP), top - CAPTION), caption)
    # Pictures.
    for row, (name, face, frames) in enumerate(rows):
        y = top + row * (size + GAP)
        sheet.paste(_vertical(name, size), (MARGIN, y))
        sheet.paste(_picture(face, size), (left, y))
        for column, frame in enumerate(frames):
            sheet.paste(_picture(frame, size), (first_frame + column * (size + GAP), y))
    return sheet


def draw_contact_sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], *, size: int = 96, columns: int = 2
) -> Image.Image:
    """Draw many clips, a few frames of each in a row under its name.

    Args:
        rows: Name and frames, (H, W, 3) uint8 RGB, of each clip; the same number of frames for all.
        size: Side of each picture on the sheet, pixels.
        columns: Number of clips beside each other.

    Raises:
        ValueError: There is no clip.
    """
    if not rows:
        raise ValueError("a contact sheet needs at least one clip")
    per_clip = len(rows[0][1])
    cell = (per_clip * (size + GAP) + 2 * GAP, size + CAPTION + GAP)
    lines = -(-len(rows) // columns)
    sheet = Image.new("RGB", (2 * MARGIN + columns * cell[0], 2 * MARGIN + lines * cell[1]), BACKGROUND)
    for number, (name, frames) in enumerate(rows):
        line, column = divmod(number, columns)
        x, y = MARGIN + column * cell[0], MARGIN + line * cell[1]
        _write(sheet, (x, y), name[: per_clip * size // 6])
        for index, frame in enumerate(frames):
            sheet.paste(_picture(frame, size), (x + index * (size + GAP), y + CAPTION))
    return sheet


def draw_grid(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    *,
    captions: Sequence[str] = (),
    title: str = "",
    size: int | tuple[int, int] = 96,
    text: int = TEXT,
) -> Image.Image:
    """Draw rows of pictures in columns, each row with its name at the left.

    Args:
        rows: Name and pictures, (H, W, 3) uint8 RGB, of each row.
        captions: A line above each column; empty for none.
        title: A line above everything.
        size: Side of each picture on the sheet, or its (height, width), pixels.
        text: Size of the letters, pixels.

    Raises:
        ValueError: There is no row, or the rows are not of equal length.
    """
    counts = {len(pictures) for _, pictures in rows} | ({len(captions)} if captions else set())
    if len(counts) != 1:
        raise ValueError(f"rows and captions of lengths {sorted(counts)}: expected rows of one length")
    # Places of names and pictures.
    columns = counts.pop()
    left = MARGIN + max(_width(name, text) for name, _ in rows) + GAP
    caption = text + CAPTION - TEXT
    top = MARGIN + (caption if title else 0) + (caption if captions else 0)
    tall, wide = (size, size) if isinstance(size, int) else size
    width, height = left + columns * (wide + GAP) - GAP + MARGIN, top + len(rows) * (tall + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    # Title, captions and pictures.
    if title:
        _write(sheet, (MARGIN, MARGIN), title, text)
    for column, line in enumerate(captions):
        _write(sheet, (left + column * (wide + GAP), top - caption), line, text)
    for row, (name, pictures) in enumerate(rows):
        y = top + row * (tall + GAP)
        _write(sheet, (MARGIN, y + (tall - caption) // 2), name, text)
        for column, picture in enumerate(pictures):
            sheet.paste(_picture(picture, (tall, wide)), (left + column * (wide + GAP), y))
    return sheet


def _picture(image: np.ndarray, size: int | tuple[int, int]) -> Image.Image:
    # Bicubic, without further smoothing: a sheet must not make a small picture look better.
    height, width = (size, size) if isinstance(size, int) else size
    return Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.BICUBIC)


def _write(image: Image.Image, position: tuple[int, int], text: str, size: int = TEXT) -> None:
    shown, font = font_for(text, size)
    ImageDraw.Draw(image).text(position, shown, fill=INK, font=font)


def _vertical(text: str, length: int) -> Image.Image:
    line = Image.new("RGB", (length, CAPTION - 2), BACKGROUND)
    shown, font = font_for(text, TEXT)
    ImageDraw.Draw(line).text(((length - font.getlength(shown)) / 2, 0), shown, fill=INK, font=font)
    return line.rotate(90, expand=True)


def _width(text: str, size: int) -> int:
    shown, font = font_for(text, size)
    return math.ceil(font.getlength(shown))
