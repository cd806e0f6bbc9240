"""Pictures on their way to batches and devices: bytes until they are there."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.codecs import decode_jpeg
from datamodules.streaming.batching import Batcher
from s2tf.faces.crop import resize


def put_picture(batcher: Batcher, name: str, size: int, jpeg: bytes, stored: int, key: str) -> None:
    """Decode a picture into a row.

    Args:
        batcher: Where to.
        name: The picture's name in the batch.
        size: Its side there, in pixels.
        jpeg: The picture, square, of `stored` pixels.
        stored: Its side by its record.
        key: The sample's name.

    Raises:
        ShardError: It cannot be decoded, or has another size.
    """
    place = batcher.place(name, (size, size, 3), np.uint8)
    if size == stored:
        decode_jpeg(jpeg, stored, key, place)
    else:
        resize(decode_jpeg(jpeg, stored, key), size, place)


def put_sizes(batcher: Batcher, sizes: Mapping[str, int], jpeg: bytes, stored: int, key: str) -> None:
    """Decode a picture once and put it into a row at several sizes, each under its own name; see `put_picture`."""
    image = decode_jpeg(jpeg, stored, key)
    for name, size in sizes.items():
        resize(image, size, batcher.place(name, (size, size, 3), np.uint8))


def to_pictures(images: Tensor) -> Tensor:
    """Pictures (B, S, S, 3) uint8 as (B, 3, S, S) float32 in [-1, 1], on the same device."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).mul_(2 / 255).sub_(1)


def is_pictures(value: object) -> bool:
    """Whether a batch's entry is pictures as bytes."""
    return isinstance(value, Tensor) and value.dtype == torch.uint8 and value.ndim == 4
