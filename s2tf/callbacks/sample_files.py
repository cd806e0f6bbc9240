"""A stage's previews as files: a sheet of all pictures, a strip of each kind, maps, videos with sound, sounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from PIL import Image
from torch import Tensor

from s2tf.figures.sheet import draw_grid
from s2tf.media.audio import write_wav
from s2tf.media.pictures import to_uint8
from s2tf.media.video_writer import VideoWriter
from s2tf.previews import Samples, SampleVideo

MAP_COLOURS = "magma"
SHEET_SIDES = (128, 256)
"""Least and greatest side of a picture on the sheet, in pixels."""
LETTER = 9
"""Width of a letter in pixels."""


@dataclass(frozen=True)
class SampleFile:
    """One file; its name is the same at every step and in every run, so that trackers show them side by side."""

    name: str
    path: Path
    kind: Literal["image", "video", "audio"]


def write_samples(samples: Samples, folder: Path) -> list[SampleFile]:
    """Write everything into `folder`, which is created if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    files = _write_images(samples, folder)
    scales = _scales(samples.maps)
    for name, values in samples.maps.items():
        pictures = [_coloured(one, *scales[_prefix(name)]) for one in values.float().cpu().numpy()]
        files.append(_save(_strip(pictures), name, folder))
    for number, video in enumerate(samples.videos):
        path = folder / f"video-{number}.mp4"
        _write_video(video, path)
        files.append(SampleFile(f"video-{number}", path, "video"))
    for number, waveform in enumerate([] if samples.waveforms is None else samples.waveforms):
        path = folder / f"sound-{number}.wav"
        write_wav(path, waveform.float().cpu().numpy())
        files.append(SampleFile(f"sound-{number}", path, "audio"))
    return files


def _write_images(samples: Samples, folder: Path) -> list[SampleFile]:
    pictures = {name: to_uint8(images) for name, images in samples.images.items()}
    files = [_save(_strip(list(rows)), name, folder) for name, rows in pictures.items()]
    if pictures:
        least, most = SHEET_SIDES
        size = min(most, max(least, *(rows.shape[1] for rows in pictures.values())))
        # Keys differ at their ends.
        captions = [key[-(size // LETTER) :] for key in samples.keys]
        sheet = draw_grid([(name, list(rows)) for name, rows in pictures.items()], captions=captions, size=size)
        files.append(_save(np.asarray(sheet), "sheet", folder))
    return files


def _save(picture: np.ndarray, name: str, folder: Path) -> SampleFile:
    path = folder / f"{name.replace('/', '-')}.png"
    Image.fromarray(picture).save(path)
    return SampleFile(name, path, "image")


def _strip(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures (H, W, 3) side by side."""
    return np.concatenate(pictures, axis=1)


def _prefix(name: str) -> str:
    return name.partition("/")[0]


def _scales(maps: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Least and greatest value of the maps of each prefix."""
    scales: dict[str, tuple[float, float]] = {}
    for name, values in maps.items():
        low, high = scales.get(_prefix(name), (np.inf, -np.inf))
        scales[_prefix(name)] = (min(low, float(values.min())), max(high, float(values.max())))
    return scales


def _coloured(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(rows, columns) as a picture (rows, columns, 3) uint8, the first row at the bottom."""
    shares = (values[::-1] - low) / max(high - low, 1e-12)
    return matplotlib.colormaps[MAP_COLOURS](shares, bytes=True)[..., :3]


def _write_video(video: SampleVideo, path: Path) -> None:
    columns = [to_uint8(frames) for frames in video.frames.values()]
    frames = np.concatenate(columns, axis=2)
    # yuv420p halves both sides.
    odd = [(0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)]
    frames = np.pad(frames, odd, mode="edge")
    waveform = None if video.waveform is None else video.waveform.float().cpu().numpy()
    with VideoWriter(path, (frames.shape[1], frames.shape[2]), waveform=waveform) as writer:
        for frame in frames:
            writer.write(frame)
