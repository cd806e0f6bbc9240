"""Still pictures of any kind as 8-bit sRGB, as a viewer shows them: depth, colour space, transparency, orientation."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

from s2tf.errors import UserError

Colour = tuple[int, int, int]
MID_GREY: Colour = (128, 128, 128)
"""Default background of transparent pictures."""
ORIENTATION = 0x0112
"""EXIF tag of the orientation."""
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation -> the turn or flip that makes the picture upright."""
WHITES = ((1.0, 0.0, 2.0), (255.0, 32.0, 280.0), (65535.0, 4096.0, 72000.0))
"""White of a picture of floats, and the range of its greatest value: sharpening exceeds white a little."""
BELOW_BLACK = 0.1
"""Greatest distance of a value below black, as a share of white."""


def to_rgb(picture: Image.Image, background: Colour = MID_GREY) -> Image.Image:
    """Convert a picture to upright 8-bit sRGB.

    Args:
        picture: The picture; of an animation, its current frame.
        background: Colour behind transparent parts.

    Raises:
        UserError: Its numbers have no meaning as colours.
    """
    # Only a loaded TIFF says whether Pillow has turned it already.
    picture.load()
    transpose = TRANSPOSES.get(_orientation(picture))
    profile = picture.info.get("icc_profile")
    shown = _on_background(_to_srgb(_to_eight_bits(picture), profile), background)
    return shown if transpose is None else shown.transpose(transpose)


def _orientation(picture: Image.Image) -> int:
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:
        # Viewers show a picture whose EXIF data are damaged as it is stored.
        return 1


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Convert to a mode of eight bits: RGB, RGBA, CMYK or LAB."""
    mode = picture.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        return Image.fromarray(array_to_bytes(np.asarray(picture))).convert("RGB")
    if mode in ("RGB", "CMYK", "LAB") and "transparency" not in picture.info:
        return picture
    if mode == "La":
        picture = picture.convert("LA")
    transparent = picture.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    return picture.convert("RGBA" if transparent else "RGB")


def array_to_bytes(values: np.ndarray) -> np.ndarray:
    """Convert the numbers of a picture to bytes: integers of 16 bits, or floats whose white is 1, 255 or 65535.

    Raises:
        UserError: There are numbers that are not finite, or the range does not show which number is white.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise UserError("it has values that are not finite, expected colours")
    if np.issubdtype(values.dtype, np.integer):
        white = 65535.0 if low >= 0 and high <= 65535 else None
    else:
        white = next((white for white, least, most in WHITES if least <= high <= most), None)
    if white is None or low < -BELOW_BLACK * white:
        raise UserError(
            f"its values lie between {low:g} and {high:g}, expected whole numbers of 16 bits, or "
            "floats from 0 to 1, to 255 or to 65535"
        )
    return np.rint(values.clip(0, white) * (255 / white)).astype(np.uint8)


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB by the picture's own profile if it has one, else by Pillow's plain formula."""
    source: Any = None
    try:
        if picture.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.getOpenProfile(io.BytesIO(profile))
            # Nothing is converted from sRGB to sRGB, which could change the last bit.
            if ImageCms.getProfileDescription(source).startswith("sRGB"):
                source = None
        if source is not None:
            mode = "RGBA" if picture.mode == "RGBA" else "RGB"
            converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode)
            return picture if converted is None else converted
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A damaged profile, or one of another colour space: viewers ignore it too.
        pass
    return picture if picture.mode == "RGBA" else picture.convert("RGB")


def _on_background(picture: Image.Image, background: Colour) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    canvas = Image.new("RGBA", picture.size, (*background, 255))
    canvas.alpha_composite(picture)
    return canvas.convert("RGB")


def read_float_tiff(path: Path) -> np.ndarray | None:
    """Read a TIFF of several channels of floats, which Pillow cannot, as (H, W, 3 or 4) uint8; None for others.

    A fourth channel is the opacity.
    """
    data = path.read_bytes()
    if not data.startswith((b"II*\0", b"MM\0*")):
        return None
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.shape[2] < 3:
        return None
    colours = array_to_bytes(np.ascontiguousarray(values[..., 2::-1]))
    return colours if values.shape[2] == 3 else np.dstack([colours, array_to_bytes(values[..., 3])])
