"""Pictures and arrays as bytes and back, without ever decoding what is not what it should be."""

import functools
import io
import math
import struct
from typing import Protocol

import cv2
import numpy as np

from datamodules.errors import ShardError

HEADER = 128
"""Bytes of the header of an `.npy` of a few dimensions; a longer one is read too."""


class Bytes(Protocol):
    """`bytes`, or what reads them when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


def decode_array(data: Bytes, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows `start` to `stop` - 1 of an `.npy` file's array, of which no more is read.

    Not by `np.load`, whose reading of the header costs as much as a picture's decoding.

    Raises:
        ValueError: The bytes are no array of plain numbers, or not as many as the header says.
    """
    if start == 0 and stop is None:
        data = data[:]
    head = data[:HEADER]
    begin = 10 + struct.unpack_from("<H", head, 8)[0]
    shape, order, dtype = _array_header(data[:begin] if begin > HEADER else head[:begin])
    if dtype.hasobject or order or not shape:
        raise ValueError(f"holds {dtype} in {'Fortran' if order else 'C'} order, expected plain numbers in C order")
    if len(data) - begin != dtype.itemsize * math.prod(shape):
        raise ValueError(f"holds {len(data) - begin} bytes after its header, which says {shape} of {dtype}")
    first, last, _ = slice(start, stop).indices(shape[0])
    row = dtype.itemsize * math.prod(shape[1:])
    part = data[begin + first * row : begin + max(first, last) * row]
    return np.frombuffer(part, dtype).reshape(-1, *shape[1:])


@functools.lru_cache(maxsize=1024)
def _array_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of the format, expected (1, 0)")
    return np.lib.format.read_array_header_1_0(file)


def decode_jpeg(data: bytes, size: int, key: str) -> np.ndarray:
    """One JPEG as (size, size, 3) uint8 RGB.

    Raises:
        ShardError: It cannot be decoded, or has another size; names the sample.
    """
    # Before it is decoded: a few kilobytes may hold a picture of gigabytes.
    stored = _jpeg_size(data)
    if stored is None:
        raise ShardError(f"sample {key!r}: a frame is no JPEG")
    if stored != (size, size):
        raise ShardError(f"sample {key!r}: a frame is {stored[0]}x{stored[1]}, its record says {size}")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None or image.shape != (size, size, 3):
        raise ShardError(f"sample {key!r}: a frame is no JPEG that can be decoded")
    return image


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height by a JPEG's headers alone; None where it has none.

    By hand, since Pillow's lazy reading costs a tenth of a small picture's decoding.
    """
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        # Start of frame: C0 to CF but DHT, JPG and DAC.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def encode_jpegs(frames: np.ndarray, quality: int) -> tuple[bytes, list[int]]:
    """Frames (T, H, W, 3) uint8 RGB as JPEGs one after the other, and their T + 1 byte offsets."""
    # 4:4:4: at the small sizes stored, halved colour would smear the lips.
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    pieces, offsets = [], [0]
    for frame in frames:
        done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
        if not done:
            raise ValueError(f"a frame of shape {frame.shape} cannot be written as JPEG")
        pieces.append(data.tobytes())
        offsets.append(offsets[-1] + len(pieces[-1]))
    return b"".join(pieces), offsets


def encode_array(array: np.ndarray) -> bytes:
    """An array as the bytes of an `.npy` of its own type."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
