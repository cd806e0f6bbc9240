"""Pictures to look at: one speaker's true and generated face and video, and a contact sheet of many clips."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6
MARGIN = 10
TEXT = 13
CAPTION = TEXT + 5
BACKGROUND = (255, 255, 255)
INK = (40, 40, 40)
FRAMES = 8


def sheet_indices(frame_count: int, columns: int = FRAMES) -> list[int]:
    """The frames that a sheet shows: `columns` of them, evenly from first to last; repeated where there are fewer.

    Raises:
        ValueError: there is no frame.
    """
    if frame_count < 1:
        raise ValueError("a sheet needs at least one frame")
    return [round(position) for position in np.linspace(0, frame_count - 1, columns)]


def draw_sheet(
    true_face: np.ndarray,
    portrait: np.ndarray,
    true_frames: Sequence[np.ndarray],
    generated_frames: Sequence[np.ndarray],
    *,
    captions: Sequence[str] = (),
    title: str = "",
    size: int = 128,
) -> Image.Image:
    """Draw the sheet: above the true face and the true frames, below the portrait and the generated frames.

    Args:
        true_face: (H, W, 3) uint8 RGB, the speaker's face.
        portrait: (H, W, 3) uint8 RGB, the face generated from the speech.
        true_frames: frames of the true video, (H, W, 3) uint8 each.
        generated_frames: as many frames of the generated video, at the same times.
        captions: one line above each pair of frames, e.g. its time; none where empty.
        title: a line above everything.
        size: side of each picture on the sheet, pixels.

    Raises:
        ValueError: the numbers of frames or captions differ.
    """
    columns = len(true_frames)
    if len(generated_frames) != columns or (captions and len(captions) != columns):
        raise ValueError(
            f"{columns} true frames, {len(generated_frames)} generated frames, {len(captions)} captions: "
            "expected equal numbers"
        )
    rows = [("true", true_face, true_frames), ("generated", portrait, generated_frames)]
    left = MARGIN + CAPTION
    first_frame = left + size + 3 * GAP
    top = MARGIN + (CAPTION if title else 0) + CAPTION
    width = first_frame + columns * (size + GAP) - GAP + MARGIN
    height = top + 2 * (size + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    if title:
        _write(sheet, (left, MARGIN), title)
    _write(sheet, (left, top - CAPTION), "face")
    for column, caption in enumerate(captions):
        _write(sheet, (first_frame + column * (size + GAP), top - CAPTION), caption)
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
        rows: name and frames, (H, W, 3) uint8 RGB, of each clip; the same number of frames for all.
        size: side of each picture on the sheet, pixels.
        columns: clips beside each other.

    Raises:
        ValueError: there is no clip.
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
    """Draw rows of pictures, each row under the same columns and with its name at the left.

    Args:
        rows: name and pictures, (H, W, 3) uint8 RGB, of each row.
        captions: one above each column; none where empty.
        title: a line above everything.
        size: side of each picture on the sheet, or its (height, width), pixels.
        text: size of the letters, pixels.

    Raises:
        ValueError: there is no row, or the rows are not of equal length.
    """
    counts = {len(pictures) for _, pictures in rows} | ({len(captions)} if captions else set())
    if len(counts) != 1:
        raise ValueError(f"rows and captions of lengths {sorted(counts)}: expected rows of one length")
    columns = counts.pop()
    left = MARGIN + max(math.ceil(_font(text).getlength(name)) for name, _ in rows) + GAP
    caption = text + CAPTION - TEXT
    top = MARGIN + (caption if title else 0) + (caption if captions else 0)
    tall, wide = (size, size) if isinstance(size, int) else size
    width, height = left + columns * (wide + GAP) - GAP + MARGIN, top + len(rows) * (tall + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), BACKGROUND)
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
    # Enlarged without smoothing beyond what bicubic does: a sheet must not flatter a small picture.
    height, width = (size, size) if isinstance(size, int) else size
    return Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.BICUBIC)


def _write(image: Image.Image, position: tuple[int, int], text: str, size: int = TEXT) -> None:
    ImageDraw.Draw(image).text(position, text, fill=INK, font=_font(size))


def _vertical(text: str, length: int) -> Image.Image:
    line = Image.new("RGB", (length, CAPTION - 2), BACKGROUND)
    font = _font()
    ImageDraw.Draw(line).text(((length - font.getlength(text)) / 2, 0), text, fill=INK, font=font)
    return line.rotate(90, expand=True)


def _font(size: int = TEXT) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    return ImageFont.load_default(size=size)
