"""Video and sound files as cameras and programs make them: turned, stretched, of several tracks, in any range."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16000


def scene(height=96, width=128):
    """A picture that differs in all eight orientations: red above, green left, blue in one corner."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 4] = (200, 40, 40)
    picture[:, : width // 4] = (40, 200, 40)
    picture[: height // 3, : width // 3] = (40, 40, 220)
    return picture


def write(path, pictures, *, tracks=(), waveform=None, codec="libx264", options=None, setup=None, pix_fmt="yuv420p"):
    """Write a video of 25 pictures a second; `tracks` are (waveform, layout, disposition) of sound tracks."""
    height, width = pictures[0].shape[:2]
    tracks = tracks or (() if waveform is None else ((waveform, "mono", None),))
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options=options if options is not None else {"crf": "6"})
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        if setup is not None:
            setup(video)
        sounds = []
        for _, layout, disposition in tracks:
            sounds.append(container.add_stream("mp2" if codec == "mpeg2video" else "aac", rate=48000, layout=layout))
            if disposition is not None:
                sounds[-1].disposition = disposition
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for stream, (samples, layout, _) in zip(sounds, tracks, strict=True):
            mux_sound(container, stream, samples, layout)
    return Path(path)


def mux_sound(container, stream, samples, layout):
    """Encode (C, S) samples at 16 kHz into a stream of 48 kHz."""
    frame = av.AudioFrame.from_ndarray(np.atleast_2d(samples).astype(np.float32), format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    resampler = av.AudioResampler(format=stream.format, layout=layout, rate=48000, frame_size=stream.frame_size)
    for block in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(block))
    container.mux(stream.encode(None))


def write_wav(path, samples, *, code="pcm_f32le", rate=RATE):
    """Write (C, S) samples as they are, as numbers of 32 bits."""
    samples = np.atleast_2d(samples).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(code, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Path(path)


def set_matrix(path, a, b, c, d):
    """Set the display matrix of an MP4's first track."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4
    at = start + 4 + (32 if data[start] else 20) + 16
    one = 1 << 16
    data[at : at + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def shown(picture, a, b, c, d):
    """What a player shows: the point (x, y) goes to (ax + cy, bx + dy), then all is moved into view."""
    turned = picture if a else picture.transpose(1, 0, 2)
    rows, columns = (d, a) if a else (b, c)
    return turned[:: rows or 1, :: columns or 1]


TURNED = [(0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0), (0, -1, -1, 0)]
ORIENTATIONS = [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1), *TURNED]
