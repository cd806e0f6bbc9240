"""Reading and writing of still pictures."""

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from s2tf.errors import UserError

RANDOM_NOTE = "random weights"
"""Key of the note in a picture or video that names the networks which were never trained."""


def read_picture(path: Path) -> "np.ndarray":
    """A picture file as (H, W, 3) uint8 RGB.

    Raises:
        UserError: there is no such file, or it is no picture, or a damaged one.
        OSError: The disk fails.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file, expected a picture")
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # What the system says has a number; what Pillow says of a damaged picture has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: not a picture that can be read: {error}") from error


def write_picture(path: Path, image: "np.ndarray", random_weights: tuple[str, ...]) -> None:
    """Save a picture; a PNG says in its metadata which networks were never trained."""
    notes = PngInfo()
    if random_weights:
        notes.add_text(RANDOM_NOTE, ", ".join(random_weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".png":
        Image.fromarray(image).save(path, pnginfo=notes)
    else:
        Image.fromarray(image).save(path)
