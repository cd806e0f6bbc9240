"""Pictures on their way to batches: they stay bytes until they reach the device."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.codecs import decode_jpeg
from datamodules.streaming.batching import Batcher
from s2tf.faces.alignment import align
from s2tf.faces.crop import resize


def put_picture(
    batcher: Batcher, name: str, size: int, jpeg: bytes, stored: int, key: str, landmarks: np.ndarray | None = None
) -> None:
    """Decode a picture into a row, as it is or with its eyes at the fixed places of `s2tf.faces.alignment`.

    Args:
        batcher: The batch that is being filled.
        name: Name of the picture in the batch.
        size: Side of the picture in the batch, in pixels.
        jpeg: The encoded picture, a square.
        stored: Side of the encoded picture according to its record, in pixels.
        key: Name of the sample.
        landmarks: (68, 2) in pixels of the encoded picture to align it by, or None to leave it as it is.

    Raises:
        ShardError: The picture cannot be decoded, or has another size.
    """
    place = batcher.place(name, (size, size, 3), np.uint8)
    if landmarks is not None:
        align(decode_jpeg(jpeg, stored, key), landmarks, size, place)
    elif size == stored:
        decode_jpeg(jpeg, stored, key, place)
    else:
        resize(decode_jpeg(jpeg, stored, key), size, place)


def put_sizes(batcher: Batcher, sizes: Mapping[str, int], jpeg: bytes, stored: int, key: str) -> None:
    """Decode a picture once and put it into a row at several sizes, each under its own name; see `put_picture`."""
    image = decode_jpeg(jpeg, stored, key)
    for name, size in sizes.items():
        resize(image, size, batcher.place(name, (size, size, 3), np.uint8))


def is_pictures(value: object) -> bool:
    """True for a batch's entry that holds pictures as bytes."""
    return isinstance(value, Tensor) and value.dtype == torch.uint8 and value.ndim == 4
