"""Random files read here and by the `ffmpeg` program: both must show the same pictures and play the same sound."""

import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from player_files import ORIENTATIONS, scene, set_matrix

from s2tf.media.sound import read_sound
from s2tf.media.video import read_video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program (apt-get install ffmpeg)"),
]
SECONDS, FLASH = 2.0, 1.0
"""Length of each file, and the time at which the picture flashes and the sound beeps, for 0.2 s."""
CODECS = {
    "mp4": ("libx264", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "mkv": ("libx264", "libopus"),
    "webm": ("libvpx", "libopus"),
    "ts": ("libx264", "mp2"),
    "mpg": ("mpeg2video", "mp2"),
    "avi": ("mpeg4", "mp3"),
    "flv": ("libx264", "aac"),
}

MARKED = ("mp4", "mov", "mkv", "webm")
"""Containers that mark a track as default."""


@dataclass(frozen=True)
class Kind:
    """What is drawn of a file."""

    suffix: str
    rate: Fraction
    sound_rate: int
    layout: str
    sound_late: float
    """Seconds by which the sound track begins after the pictures."""
    start: float
    """The file's first time, in seconds."""
    aspect: Fraction
    matrix: tuple[int, int, int, int]
    second_track: bool
    """Another sound track stands first, without being marked as default."""


KINDS = st.builds(
    Kind,
    st.sampled_from(sorted(CODECS)),
    st.sampled_from([Fraction(15), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50)]),
    st.sampled_from([24000, 48000]),
    st.sampled_from(["mono", "stereo"]),
    st.sampled_from([0.0, 0.12, 0.3]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([Fraction(1), Fraction(16, 11), Fraction(8, 9)]),
    st.sampled_from(ORIENTATIONS),
    st.booleans(),
)


def beep(kind, layout, frequency):
    """Silence from the sound track's start on, and a beep at `FLASH`."""
    times = np.arange(round((SECONDS - kind.sound_late) * kind.sound_rate)) / kind.sound_rate + kind.sound_late
    wave = 0.4 * np.sin(2 * np.pi * frequency * times) * ((times >= FLASH) & (times < FLASH + 0.2))
    return np.stack([wave] * (2 if layout == "stereo" else 1)).astype(np.float32)


def write(kind, path):
    pictures, sound = CODECS[kind.suffix]
    with av.open(str(path), "w") as container:
        video = container.add_stream(pictures, rate=25 if pictures == "mpeg2video" else kind.rate)
        rate = Fraction(25) if pictures == "mpeg2video" else kind.rate
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        video.bit_rate = 2_000_000
        video.codec_context.sample_aspect_ratio = kind.aspect
        two = kind.second_track and kind.suffix in MARKED
        tracks = [("mono", 1500.0)] * two + [(kind.layout, 700.0)]
        streams = [container.add_stream(sound, rate=kind.sound_rate, layout=layout) for layout, _ in tracks]
        for number, stream in enumerate(streams):
            last = number == len(streams) - 1
            stream.disposition = av.stream.Disposition.default if last else av.stream.Disposition(0)
        if pictures == "libx264":
            video.options = {"preset": "veryfast"}
        for index in range(round(SECONDS * rate)):
            time = Fraction(index) / rate
            frame = av.VideoFrame.from_ndarray(
                np.full((96, 128, 3), 250, np.uint8) if FLASH <= time < FLASH + 0.2 else scene(), format="rgb24"
            )
            frame.pts, frame.time_base = index + int(kind.start * rate), 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for stream, (layout, frequency) in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(beep(kind, layout, frequency), format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = kind.sound_rate, Fraction(1, kind.sound_rate)
            frame.pts = round((float(int(kind.start * rate) / rate) + kind.sound_late) * kind.sound_rate)
            resampler = av.AudioResampler(
                format=stream.format, layout=layout, rate=kind.sound_rate, frame_size=stream.frame_size
            )
            for block in (*resampler.resample(frame), *resampler.resample(None)):
                container.mux(stream.encode(block))
            container.mux(stream.encode(None))


def by_ffmpeg(path, folder, height, width):
    """Frames at 25 a second and sound at 16 kHz as the program makes them, both from the file's first time on."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-y",
        "-i",
        str(path),
        "-vf",
        "fps=25:start_time=0,scale=round(iw*sar):ih,setsar=1",
    ]
    command += ["-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", str(folder / "pictures.raw")]
    command += ["-af", "aresample=16000:async=1:first_pts=0", "-ac", "1", "-f", "f32le", str(folder / "sound.raw")]
    subprocess.run(command, check=True, timeout=60)
    pictures = np.fromfile(folder / "pictures.raw", np.uint8)
    assert len(pictures) % (height * width * 3) == 0, "the size differs from the program's"
    return pictures.reshape(-1, height, width, 3), np.fromfile(folder / "sound.raw", np.float32)


def onsets(frames, waveform):
    """The first bright frame, and the beep's first sample as a frame, (flash, beep)."""
    levels = frames.reshape(len(frames), -1).mean(axis=1)
    loud = np.abs(waveform) > 0.3 * np.abs(waveform).max()
    return int(np.argmax(levels > 180)), int(np.argmax(loud)) / 640


def compare(kind, folder):
    """Read a file of this kind both ways."""
    path = folder / f"clip.{kind.suffix}"
    write(kind, path)
    if kind.suffix in ("mp4", "mov"):
        set_matrix(path, *kind.matrix)
    clip = read_video(path)
    sound = read_sound(path, origin=clip.origin)
    height, width = clip.frames.shape[1:3]
    frames, waveform = by_ffmpeg(path, folder, height, width)
    ours, theirs = onsets(clip.frames, sound.waveform), onsets(frames, waveform)
    # Flash and beep are as far apart, and as much follows the flash.
    assert ours[0] - ours[1] == pytest.approx(theirs[0] - theirs[1], abs=1.1)
    assert len(clip.frames) - ours[0] == pytest.approx(len(frames) - theirs[0], abs=2)
    assert np.abs(clip.frames[ours[0] - 5].astype(int) - frames[theirs[0] - 5]).mean() < 3
    assert not {note.kind for note in (*clip.notes, *sound.notes)} & {"joined", "damaged", "broken off"}


@given(kind=KINDS)
# A failure is shown as it was drawn: making it smaller would take minutes.
@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
def test_pictures_and_sound_are_those_of_the_program(kind):
    with TemporaryDirectory() as folder:
        compare(kind, Path(folder))
