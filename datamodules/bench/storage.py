"""Possible formats for the pictures of a clip, compared by `s2tf bench data`."""

import io
import tarfile
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol

import av
import cv2
import numpy as np
import simplejpeg

from datamodules.shards.codecs import encode_jpegs

QUALITY = 92


class Form(Protocol):
    """A way to store a clip's pictures."""

    def encode(self, frames: np.ndarray) -> Any:
        """Store frames (T, S, S, 3) uint8 RGB."""

    def size(self, data: Any) -> int:
        """Size of the stored pictures in bytes."""

    def frames(self, data: Any, indices: Sequence[int]) -> list[np.ndarray]:
        """The pictures with these indices, which increase."""


class PackedJPEG:
    """JPEGs one after the other with their offsets: the format of the shards."""

    def encode(self, frames: np.ndarray) -> tuple[bytes, list[int]]:
        """See `Form`."""
        return encode_jpegs(frames, QUALITY)

    def size(self, data: tuple[bytes, list[int]]) -> int:
        """See `Form`; an offset takes about seven characters of the record."""
        return len(data[0]) + 7 * len(data[1])

    def frames(self, data: tuple[bytes, list[int]], indices: Sequence[int]) -> list[np.ndarray]:
        """See `Form`."""
        joined, offsets = data
        return [_image(joined[offsets[index] : offsets[index + 1]]) for index in indices]


class JPEGMembers:
    """Each JPEG as a member of the tar file; reading one also reads the headers of all before it."""

    suffix = ".jpg"
    options: tuple[int, ...] = (cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)

    def encode(self, frames: np.ndarray) -> bytes:
        """See `Form`."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for index, frame in enumerate(frames):
                data = cv2.imencode(self.suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), list(self.options))[1]
                info = tarfile.TarInfo(f"{index:06d}{self.suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data.tobytes()))
        return buffer.getvalue()

    def size(self, data: bytes) -> int:
        """See `Form`."""
        return len(data)

    def frames(self, data: bytes, indices: Sequence[int]) -> list[np.ndarray]:
        """See `Form`."""
        wanted, result = set(indices), []
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for index, info in enumerate(tar):
                if index in wanted:
                    file = tar.extractfile(info)
                    assert file is not None
                    result.append(_image(file.read()))
                if index >= indices[-1]:
                    break
        return result


class WebPMembers(JPEGMembers):
    """Each picture as a member of the tar file, in WebP of about the same quality."""

    suffix = ".webp"
    options = (cv2.IMWRITE_WEBP_QUALITY, QUALITY)


class IntraH264:
    """An MP4 of H.264 in which every picture is a key frame, so that any can be reached by one seek."""

    def encode(self, frames: np.ndarray) -> bytes:
        """See `Form`."""
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "18", "g": "1", "bf": "0"})
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv444p"
            for index, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts, picture.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return buffer.getvalue()

    def size(self, data: bytes) -> int:
        """See `Form`."""
        return len(data)

    def frames(self, data: bytes, indices: Sequence[int]) -> list[np.ndarray]:
        """See `Form`."""
        result = []
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            if len(indices) == stream.frames:
                return [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
            for index in indices:
                container.seek(round(index / 25 / stream.time_base), stream=stream)
                result.append(next(container.decode(stream)).to_ndarray(format="rgb24"))
        return result


def _image(data: bytes) -> np.ndarray:
    if data[:2] == b"\xff\xd8":
        return simplejpeg.decode_jpeg(data, "RGB")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return image


FORMS: dict[str, Form] = {
    "packed JPEG": PackedJPEG(),
    "JPEG members": JPEGMembers(),
    "WebP members": WebPMembers(),
    "all-intra H.264": IntraH264(),
}
