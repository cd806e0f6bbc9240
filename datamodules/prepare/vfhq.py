"""VFHQ (Xie et al. 2022): high-quality faces as folders of frames, without sound; for the high-resolution stage.

Its official page is liangbinxie.github.io/projects/vfhq. The folder:

    SOURCE/**/Clip+<YouTube id>+P<person>+C<clip>+F<first>-<last>/*.png   a clip's frames, in the order of their names
    SOURCE/meta_info/Clip+....txt (or at any depth)                       as published; the line `FPS 29.97` is read
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.prepare.recording import LoadedClip, PrepareError, Reader, Recording, UnusableRecording
from datamodules.prepare.splits import HeldOut, assign_splits
from s2tf.errors import UserError
from s2tf.media.audio import FPS
from s2tf.media.notes import Note
from s2tf.media.pictures import read_picture

DATASET = "vfhq"
HELD_OUT = HeldOut(val=0.01, test=0.01)
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
MAX_SECONDS = 20.0
_CLIP = re.compile(r"Clip\+(?P<video>.+)\+P(?P<person>[0-9]+)\+C[0-9]+\+F[0-9]+-[0-9]+")


@dataclass(frozen=True, kw_only=True)
class FrameFolder(Recording):
    """A folder of frames with its own frame rate."""

    folder: Path
    fps: float

    def load(self) -> LoadedClip:
        """See `Recording.load`; fails at `read`."""
        files = sorted(path for path in self.folder.iterdir() if path.suffix.lower() in PICTURES)
        if not files:
            raise PrepareError("read", f"no picture in {self.folder}")
        count = max(1, round(len(files) / self.fps * FPS))
        limit = MAX_SECONDS if self.max_seconds is None else self.max_seconds
        # The frames nearest in time, as `s2tf.media.video` chooses them.
        times = np.arange(min(count, round(limit * FPS))) / FPS
        nearest = np.minimum(np.round(times * self.fps).astype(int), len(files) - 1)
        frames = [_read(files[index]) for index in nearest]
        if len({frame.shape for frame in frames}) > 1:
            raise PrepareError("read", f"the frames of {self.folder} differ in size")
        notes = (Note("cut", f"read up to {limit:g} s"),) if len(times) < count else ()
        return LoadedClip(np.stack(frames), None, notes=notes)


class VFHQReader(Reader):
    """Every clip; all clips of a YouTube video are one identity.

    Args:
        source: The folder.
        held_out: Shares of the identities held out for validation and test.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: The folder has no clip.
    """

    def __init__(self, source: str | Path, held_out: HeldOut = HELD_OUT):
        self.source = Path(source)
        if not self.source.is_dir():
            raise FileNotFoundError(f"no folder {str(source)!r}")
        folders, metas = _find(self.source)
        if not folders:
            raise ValueError(f"no folder Clip+... in {source}")
        recordings = [_recording(folder, metas.get(folder.name)) for folder in folders]
        self.recordings = assign_splits(recordings, held_out)


def _find(source: Path) -> tuple[list[Path], dict[str, Path]]:
    """The clips' folders, and the meta files by clip name; the frames are not listed."""
    folders: list[Path] = []
    metas: dict[str, Path] = {}
    for parent, below, names in os.walk(source, followlinks=True):
        folders += [Path(parent, name) for name in below if name.startswith("Clip+")]
        below[:] = [name for name in below if not name.startswith("Clip+")]
        metas |= {name[: -len(".txt")]: Path(parent, name) for name in names if re.fullmatch(r"Clip\+.*\.txt", name)}
    return sorted(folders), metas


def _recording(folder: Path, meta: Path | None) -> Recording:
    match = _CLIP.fullmatch(folder.name)
    identity = match["video"] if match else folder.name
    key = re.sub(r"[^A-Za-z0-9_-]", "_", f"{DATASET}-{folder.name.removeprefix('Clip+')}")
    fps = _fps(meta)
    if match is None or fps is None:
        step, reason = "path", f"{folder.name} is not Clip+<video>+P<person>+C<clip>+F<first>-<last>"
        if match is not None:
            step, reason = "meta", f"no line 'FPS ...' in {meta or f'{folder.name}.txt, which is missing'}"
        return UnusableRecording(key=key, dataset=DATASET, identity=identity, step=step, reason=reason)
    return FrameFolder(key=key, dataset=DATASET, identity=identity, folder=folder, fps=fps)


def _fps(meta: Path | None) -> float | None:
    if meta is None:
        return None
    for line in meta.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        if match := re.match(r"FPS\s*:?\s+([0-9.]+)\s*$", line):
            fps = float(match[1])
            return fps if 1 <= fps <= 240 else None
    return None


def _read(path: Path) -> np.ndarray:
    try:
        return read_picture(path)
    except (UserError, OSError) as error:
        raise PrepareError("read", str(error)) from error
