"""Still pictures: their files, and the one conversion between uint8 pictures and network inputs in [-1, 1]."""

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from s2tf.errors import UserError
from s2tf.media.picture_damage import describe_damage
from s2tf.media.picture_modes import MID_GREY, Colour, read_float_tiff, to_rgb

RANDOM_NOTE = "random weights"
"""Key of the note in a picture or video that names the networks which were never trained."""
SMALLEST = 8
"""Least side of a picture, in pixels."""
SLIMMEST = 20
"""Greatest ratio of a picture's sides."""


def to_tensor(pictures: np.ndarray | Tensor, device: str | torch.device = "cpu") -> Tensor:
    """Pictures (..., H, W, 3) uint8 as (..., 3, H, W) float32 in [-1, 1]; the inverse of `to_uint8`.

    The values keep the memory order of the pictures (channels last). Pictures are sent to the device as bytes.

    Example:
        >>> to_tensor(np.full((1, 2, 2, 3), 255, np.uint8)).shape
        torch.Size([1, 3, 2, 2])
    """
    if isinstance(pictures, np.ndarray):
        # Torch warns about arrays that cannot be written to, such as those of Pillow.
        pictures = torch.from_numpy(np.require(pictures, requirements=("C", "W")))
    return pictures.to(device).movedim(-1, -3).float() / 127.5 - 1


def batch_to_tensor(pictures: Tensor) -> Tensor:
    """A training batch (B, H, W, 3) uint8 as (B, 3, H, W) float32 in [-1, 1], on the same device.

    The values are those of `to_tensor` on a GPU, where a division by a constant is a multiplication. On a CPU the two
    can differ in the last bit; each keeps the bits that finished runs were trained and measured with.
    """
    return pictures.movedim(-1, -3).to(torch.float32, memory_format=torch.contiguous_format).mul_(2 / 255).sub_(1)


def to_uint8(images: Tensor) -> np.ndarray:
    """Images (..., 3, H, W) in [-1, 1] as (..., H, W, 3) uint8 RGB; values outside are clipped.

    Example:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 1.5]).reshape(1, 3, 1, 1)).ravel().tolist()
        [0, 128, 255]
    """
    pixels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.movedim(-3, -1).contiguous().cpu().numpy()


def read_picture(path: Path, background: Colour = MID_GREY, *, any_size: bool = False) -> np.ndarray:
    """Read any still picture as (H, W, 3) uint8 RGB, as a viewer shows it; of an animation, the first frame.

    It is upright by its EXIF orientation and in sRGB by its own colour profile. Pictures of 16 bits, floats, CMYK,
    palettes and one bit are converted.

    Args:
        path: The file.
        background: Colour behind transparent parts.
        any_size: Read pictures too that are too small or too slim for a face, such as those that s2tf itself drew.

    Raises:
        UserError: There is no such file, it is no picture or damaged, or it is too small, too large or too slim.
        OSError: The disk fails.
    """
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}, expected a picture")
    # Pillow warns of large pictures, which are refused below, and of damaged EXIF data, which do no harm.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = _decode(path, background, any_size)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        except Image.DecompressionBombError as error:
            limit = f"{2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels"
            raise UserError(f"{path}: a picture of more than {limit}: expected a smaller one, scale it down") from error
        except Exception as error:
            # The system's errors have a number; Pillow raises errors of many kinds about damaged pictures.
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise UserError(f"{path}: {describe_damage(path, error)}") from error
    return pixels


def _decode(path: Path, background: Colour, any_size: bool) -> np.ndarray:
    try:
        picture: Image.Image = Image.open(path)
    except UnidentifiedImageError:
        floats = read_float_tiff(path)
        if floats is None:
            raise
        picture = Image.fromarray(floats)
    with picture:
        width, height = picture.size
        fits = min(width, height) >= SMALLEST and max(width, height) <= SLIMMEST * min(width, height)
        if not (fits or any_size):
            raise UserError(
                f"a picture of {width}x{height} pixels, expected at least {SMALLEST} on each side, and no side more "
                f"than {SLIMMEST} times the other"
            )
        return np.asarray(to_rgb(picture, background))


def write_picture(path: Path, image: np.ndarray, random_weights: tuple[str, ...]) -> None:
    """Saves a picture; a PNG names in its metadata the networks that were never trained."""
    notes = PngInfo()
    if random_weights:
        notes.add_text(RANDOM_NOTE, ", ".join(random_weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".png":
        Image.fromarray(image).save(path, pnginfo=notes)
    else:
        Image.fromarray(image).save(path)
