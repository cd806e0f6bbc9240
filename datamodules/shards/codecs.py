"""Pictures and arrays as bytes and back; bytes of an unexpected form are refused before they are decoded."""

import functools
import io
import math
import struct
from typing import Protocol

import cv2
import numpy as np
import simplejpeg

from datamodules.shards.errors import ShardError

HEADER = 128
"""Bytes of the header of an `.npy` of a few dimensions; a longer one is read too."""


class Bytes(Protocol):
    """`bytes`, or an object that reads them on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


def decode_array(data: Bytes, rows: int, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows `start` to `stop` - 1 of an `.npy` file's array of `rows` rows; only these are read.

    `np.load` is not used: reading the header takes it as long as decoding a picture.

    Raises:
        ValueError: The bytes are not an array of plain numbers, their number differs from the header's, or the array
            has another number of rows.
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
    if shape[0] != rows:
        raise ValueError(f"holds {shape}, expected {rows} rows")
    first, last, _ = slice(start, stop).indices(rows)
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


def decode_jpeg(data: bytes, size: int, key: str, out: np.ndarray | None = None) -> np.ndarray:
    """One JPEG as (size, size, 3) uint8 RGB, decoded straight into `out` where that is given.

    A picture larger than its place is refused before it is decoded: a few kilobytes may expand to gigabytes.

    Raises:
        ShardError: The picture cannot be decoded whole, or has another size; names the sample.
    """
    place = np.empty((size, size, 3), np.uint8) if out is None else out
    try:
        image = simplejpeg.decode_jpeg(data, "RGB", buffer=place)
    except ValueError as error:
        raise ShardError(f"sample {key!r}: a frame {_problem(data, size, error)}") from error
    if image.shape != place.shape:
        raise ShardError(f"sample {key!r}: a frame {_other_size(image.shape, size)}")
    return place


def _problem(data: bytes, size: int, error: ValueError) -> str:
    try:
        shape = simplejpeg.decode_jpeg_header(data)[:2]
    except ValueError:
        return f"is not a JPEG: {error}"
    return f"is a JPEG that cannot be decoded: {error}" if shape == (size, size) else _other_size(shape, size)


def _other_size(shape: tuple[int, ...], size: int) -> str:
    return f"is {shape[1]}x{shape[0]}, its record says {size}"


def encode_jpegs(frames: np.ndarray, quality: int) -> tuple[bytes, list[int]]:
    """Frames (T, H, W, 3) uint8 RGB as JPEGs one after the other, and their T + 1 byte offsets."""
    # 4:4:4, since halved colour would smear the lips at the small sizes stored.
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
    """An array as the bytes of an `.npy` file of the same type."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
