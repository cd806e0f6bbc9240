"""Sound: any container read as 16 kHz mono, the paper's 6-second rule, its power-law STFT, and PCM in memory."""

import io
import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE = 16000
FPS = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
WINDOW = 400
"""25 ms at 16 kHz."""
HOP = 160
"""10 ms at 16 kHz."""
FFT = 512
POWER = 0.3
QUIETEST = -60.0
"""Decibels below full scale; `loudness` treats quieter sound as silence."""
PCM_PEAK = 32767
WAV_HEADER = 44
"""Length in bytes."""

# Container timestamps are rounded (to 1 ms in Matroska), so only a longer hole is a hole.
MIN_GAP_SECONDS = 0.05


def read_audio(
    path: str | Path, *, start: float = 0.0, max_seconds: float | None = None, origin: float | None = None
) -> np.ndarray:
    """Read the first sound track of a file as 16 kHz mono.

    The first sample is at the origin: sound that begins earlier is cut, sound that begins later is preceded by
    silence. With the origin of `s2tf.media.video.read_video`, sound and frames line up. Holes in the sound's
    timestamps become silence.

    Args:
        path: Any container that FFmpeg reads.
        start: Seconds after the origin at which reading begins.
        max_seconds: Read no more than this.
        origin: Timestamp of the file, in seconds, that counts as zero. None takes the start that the video track
            states (earlier than the first picture if that cannot be decoded), or the sound's if there is no video.

    Returns:
        (S,) float32 in [-1, 1].

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, or has no sound track; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist, expected a file with sound")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError(f"{path} has no sound track")
            if origin is None:
                origin = _origin(container)
            blocks = list(_blocks(container, origin + start, max_seconds))
            limit = _limit(container, origin + start, max_seconds)
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(f"cannot read the sound of {path}: {error}") from error
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return np.clip(waveform[:limit], -1.0, 1.0)


def _limit(container: av.container.InputContainer, begin: float, max_seconds: float | None) -> int | None:
    """Largest number of samples: the requested one, or an MP4's own length, since zeros fill its last AAC frame."""
    stream = container.streams.audio[0]
    seconds = [] if max_seconds is None else [max_seconds]
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        seconds.append(max(0.0, float(((stream.start_time or 0) + stream.duration) * stream.time_base) - begin))
    return round(min(seconds) * SAMPLE_RATE) if seconds else None


def _origin(container: av.container.InputContainer) -> float:
    """Start of the video track in seconds, or of the sound where the only video is a cover picture."""
    tracks = [stream for stream in container.streams.video if not _is_cover(stream)]
    stream = tracks[0] if tracks else container.streams.audio[0]
    return 0.0 if stream.start_time is None or stream.time_base is None else float(stream.start_time * stream.time_base)


def _is_cover(stream: av.video.stream.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _blocks(container: av.container.InputContainer, begin: float, max_seconds: float | None) -> Iterator[np.ndarray]:
    """Blocks of samples, placed by timestamp, the first of them at the file's time `begin`."""
    stream = container.streams.audio[0]
    if begin > 1.0:
        container.seek(int((begin - 1.0) * av.time_base))
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    done = 0
    limit = _limit(container, begin, max_seconds)
    lead: int | None = None
    for frame in container.decode(stream):
        missing = 0 if frame.time is None else round((frame.time - begin) * SAMPLE_RATE) - done
        if lead is None:
            # Sound from before `begin` is cut as it comes out; `done` counts from the first sample decoded.
            lead = max(0, -missing)
            done = min(0, missing)
        if missing > (0 if done == 0 else MIN_GAP_SECONDS * SAMPLE_RATE):
            done += missing
            yield np.zeros(missing, np.float32)
        for block in _resampled(resampler, frame):
            done += len(block)
            kept = block[min(lead, len(block)) :]
            lead -= len(block) - len(kept)
            yield kept
        if limit is not None and done >= limit:
            return
    for block in _resampled(resampler, None):
        yield block[min(lead or 0, len(block)) :]


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[np.ndarray]:
    for out in resampler.resample(frame):
        yield out.to_ndarray().reshape(-1).astype(np.float32)


def fit_seconds(waveform: np.ndarray, seconds: float) -> np.ndarray:
    """The paper's rule for a fixed length of speech (6 s there): cut longer speech, repeat shorter speech.

    Args:
        waveform: (S,) at 16 kHz.
        seconds: Length wanted.

    Returns:
        (round(seconds * 16000),) samples.

    Raises:
        ValueError: There is no sample to repeat.
    """
    samples = round(seconds * SAMPLE_RATE)
    if len(waveform) == 0:
        raise ValueError(f"cannot fit an empty waveform to {seconds} s: it has no samples")
    if len(waveform) >= samples:
        return waveform[:samples]
    return np.resize(waveform, samples)


def frame_count(samples: int, fps: int | Fraction = FPS) -> int:
    """Number of video frames for a number of samples at 16 kHz: round(samples * fps / 16000), at least one."""
    return max(1, round(Fraction(samples) * Fraction(fps) / SAMPLE_RATE))


def loudness(waveform: np.ndarray, frames: int, fps: int | Fraction = FPS) -> np.ndarray:
    """Loudness of each frame's sound: the root mean square of its samples, in decibels below full scale.

    Args:
        waveform: (S,) in [-1, 1] at 16 kHz.
        frames: Number of frames, T.
        fps: Frames a second.

    Returns:
        (T,) at most 0, at least `QUIETEST`; NaN after the sound's end.
    """
    borders = [round(index * SAMPLE_RATE / Fraction(fps)) for index in range(frames + 1)]
    pieces = (waveform[begin:end] for begin, end in pairwise(borders))
    power = np.array([np.mean(np.square(piece, dtype=np.float64)) if len(piece) else np.nan for piece in pieces])
    return 10 * np.log10(np.maximum(power, 10 ** (QUIETEST / 10)))


def spectra_shape(samples: int) -> tuple[int, int, int]:
    """Shape (T, F, 2) of `power_law_spectra` for a number of samples."""
    return (samples - WINDOW) // HOP + 1, FFT // 2 + 1, 2


def power_law_spectrogram(waveform: Tensor) -> Tensor:
    """The speech encoder's input: `power_law_spectra` (..., S) as pictures of two channels, (..., 2, T, F)."""
    return power_law_spectra(waveform).movedim(-1, -3)


def power_law_spectra(waveform: Tensor, out: Tensor | None = None) -> Tensor:
    """The paper's representation of speech (§III-A.3): STFT with sgn(S)|S|^0.3 on its real and imaginary parts.

    Hann window of 25 ms, hop of 10 ms, FFT of 512: a frame is 400 samples, zero-padded to 512 (not centred, unlike
    `torch.stft`, whose frames would reach over the ends); 6 s give 598 frames.

    Args:
        waveform: (..., S) at 16 kHz, S >= 400.
        out: Tensor that takes the result; None creates one.

    Returns:
        (..., T, F, 2): real and imaginary part last, T = (S - 400) // 160 + 1, F = 257.

    Raises:
        ValueError: The waveform is shorter than one window.
    """
    if waveform.shape[-1] < WINDOW:
        raise ValueError(f"a spectrogram needs at least {WINDOW} samples (25 ms), got {waveform.shape[-1]}")
    window = torch.hann_window(WINDOW, periodic=True, dtype=waveform.dtype, device=waveform.device)
    frames = waveform.unfold(-1, WINDOW, HOP) * window
    spectrum = torch.view_as_real(torch.fft.rfft(frames, n=FFT))
    # |S|^0.3 as 2^(0.3 log2 |S|), which takes a third of the time of `pow` on a CPU; 0 stays 0.
    magnitude = spectrum.abs().log2_().mul_(POWER).exp2_()
    return torch.copysign(magnitude, spectrum, out=out)


def encode_wav(waveform: np.ndarray) -> bytes:
    """A waveform (S,) in [-1, 1] as the bytes of a 16 kHz mono 16-bit WAV; louder values are clipped."""
    pcm = np.round(np.clip(np.asarray(waveform), -1.0, 1.0) * PCM_PEAK).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def plain_wav_header(samples: int) -> bytes:
    """The first `WAV_HEADER` bytes of a WAV written by `encode_wav`; its samples follow."""
    size = 2 * samples
    form = struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size)


def decode_pcm(data: bytes, start: int = 0, count: int | None = None) -> np.ndarray:
    """Samples of a WAV written by `encode_wav`, as they are stored.

    Args:
        data: The file's bytes.
        start: First sample.
        count: Number of samples; fewer come back where the sound ends. None reads to the end.

    Returns:
        (S,) int16; `from_pcm` makes it a waveform.

    Raises:
        ValueError: The bytes are no 16 kHz mono 16-bit WAV.
    """
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if form != (1, 2, SAMPLE_RATE):
                raise ValueError(f"expected mono 16-bit {SAMPLE_RATE} Hz, got (channels, bytes, rate) = {form}")
            file.setpos(min(start, file.getnframes()))
            pcm = file.readframes(file.getnframes() if count is None else count)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"not a WAV: {error}") from error
    return np.frombuffer(pcm, "<i2")


def from_pcm(pcm: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """16-bit samples (S,) int16 → (S,) float32 in [-1, 1], written to `out` where one is given."""
    # The lowest of 16-bit numbers has no counterpart; clipped while they are integers, which is faster.
    return np.multiply(np.maximum(pcm, -PCM_PEAK), np.float32(1 / PCM_PEAK), out=out, dtype=np.float32)


def write_wav(path: str | Path, waveform: np.ndarray) -> None:
    """Write a waveform (S,) in [-1, 1] as a 16 kHz mono 16-bit WAV."""
    Path(path).write_bytes(encode_wav(waveform))
