"""The measurements of `s2tf bench data`: each number and its floor are measured in turns, in one run."""

import gc
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch

from datamodules.base import ShardDataModule
from datamodules.bench.storage import FORMS, Form
from datamodules.frame_pairs import FramePairData
from datamodules.motion_sequences import MotionSequenceData
from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.files import FileRecording
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.prepare import prepare
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.samples import LANDMARKS
from datamodules.shards.writing import read_split
from datamodules.speech_portrait import SpeechPortraitData
from datamodules.streaming.workers import start_worker
from s2tf.faces.crop import CropRule
from s2tf.faces.tracking import FaceSettings, track_face
from s2tf.media.audio import from_pcm, power_law_spectra
from s2tf.media.video_writer import VideoWriter

SIZE = 256
ROUNDS = 5
"""Number of alternations of work and floor; their median is reported, since a busy machine disturbs both equally."""
SHARD_COUNTS = (10, 1_000, 100_000)
WORKERS = 2


@dataclass(frozen=True)
class Entry:
    """A number and its floor, the value that it is compared with."""

    name: str
    measured: float
    floor: float
    ratio: float
    unit: str

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON object."""
        return asdict(self)


def measure_all(seconds: float, only: str, on_step: Callable[[str], None]) -> Iterator[Entry]:
    """Measure every group whose name contains `only`.

    Args:
        seconds: Time for each side of each ratio.
        only: Part of a group's name: `batches`, `storage`, `prepare` or `growth`; empty: all groups.
        on_step: Function that is called with the name of each group before its measurement.
    """
    groups = {"batches": _batches, "storage": _storage, "prepare": _prepare, "growth": _growth}
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "shards"
        if not only or only != "prepare":
            on_step("preparing shards to measure on")
            prepare(
                SyntheticReader(24, 1, 6.0, SIZE, 0), shards, ClipSettings(CropRule(size=SIZE)), samples_per_shard=8
            )
        for name, group in groups.items():
            if only in name:
                on_step(name)
                start_worker()
                yield from group(shards, Path(folder), seconds)
                gc.unfreeze()


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units of work per second; `work` does some and returns their number."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        done += work()
    return done / (time.perf_counter() - start)


def against(name: str, unit: str, work: Callable[[], int], floor: Callable[[], int], seconds: float) -> Entry:
    """The rates of work and floor, measured alternately."""
    work(), floor()
    pairs = [(rate(work, seconds / ROUNDS), rate(floor, seconds / ROUNDS)) for _ in range(ROUNDS)]
    measured, least = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Entry(name, measured, least, statistics.median(one / other for one, other in pairs), unit)


def _batches(shards: Path, _: Path, seconds: float) -> Iterator[Entry]:
    """Rows per second of one process; the floor only decodes the bytes that such a row needs."""
    # Parts of every clip, since silence takes longer than speech, and some pictures longer than others.
    clips = list(read_split(shards, "train"))
    sounds = [clip.pcm(0, 6 * 16000).copy() for clip in clips]
    jpegs = [clip.jpeg(index) for clip in clips for index in clip.record.pictures[::10]]
    landmarks = clips[0].members[LANDMARKS][:]

    # The floors: one function for each kind of row, which returns the number of rows it stands for.
    def pictures(count: int) -> int:
        for index in range(count):
            simplejpeg.decode_jpeg(jpegs[index % len(jpegs)], "RGB")
        return count

    def pairs() -> int:
        return pictures(2 * len(jpegs)) // 2

    def portraits() -> int:
        for pcm in sounds:
            power_law_spectra(torch.from_numpy(from_pcm(pcm)))
        return pictures(len(sounds))

    def sequences() -> int:
        for pcm in sounds:
            from_pcm(pcm[: 50 * 640])
            np.frombuffer(landmarks, np.float32, offset=len(landmarks) % 4)
        return len(sounds)

    kinds: list[tuple[str, ShardDataModule, Callable[[], int]]] = [
        ("frame pairs", FramePairData(str(shards), 16, 0, input_size=SIZE, output_size=SIZE, buffer=256), pairs),
        ("speech-portrait pairs", SpeechPortraitData(str(shards), 16, 0, size=SIZE, buffer=64), portraits),
        ("motion sequences", MotionSequenceData(str(shards), 16, 0, frames=50, buffer=64), sequences),
    ]
    for name, data, floor in kinds:
        yield against(f"batches: {name}", "rows/s/core", _rows(data), floor, seconds)


def _rows(data: ShardDataModule) -> Callable[[], int]:
    """A function that loads a batch and returns its number of rows."""
    stream = iter(data.train_dataloader())
    return lambda: len(next(stream)["key"])


def _storage(shards: Path, _: Path, seconds: float) -> Iterator[Entry]:
    """Possible formats for a clip's pictures; the floor is the format in use."""
    frames = next(read_split(shards, "train")).frames()
    stored = {name: form.encode(frames) for name, form in FORMS.items()}
    used = next(iter(FORMS))
    size = {name: form.size(stored[name]) for name, form in FORMS.items()}
    for name, form in FORMS.items():
        yield Entry(f"storage: {name}, size", size[name] / 1e3, size[used] / 1e3, size[name] / size[used], "kB/clip")

        # Two frames at random, as training reads them; all frames in order, as an evaluation does.
        def two(form: Form = form, data: Any = stored[name]) -> int:
            rng = np.random.default_rng(0)
            for _ in range(4):
                form.frames(data, sorted(rng.choice(len(frames), 2, replace=False).tolist()))
            return 4

        def all_of(form: Form = form, data: Any = stored[name]) -> int:
            return len(form.frames(data, list(range(len(frames)))))

        # The form in use, read in the same way, is the baseline.
        first = FORMS[used]

        def base_two(form: Form = first, data: Any = stored[used]) -> int:
            return two(form, data)

        def base_all(form: Form = first, data: Any = stored[used]) -> int:
            return all_of(form, data)

        yield against(f"storage: {name}, two random frames", "pairs/s", two, base_two, seconds)
        yield against(f"storage: {name}, all frames", "frames/s", all_of, base_all, seconds)


def _prepare(_: Path, folder: Path, seconds: float) -> Iterator[Entry]:
    """Frames per second of a whole preparation by two processes; the floor only decodes and finds the face."""
    # Videos of synthetic speakers, with room around the face.
    clips = folder / "clips"
    clips.mkdir()
    for recording in SyntheticReader(2 * WORKERS, max(1, round(seconds)), 6.0, SIZE, 1):
        clip = recording.load()
        frames = np.pad(clip.frames, ((0, 0), (52, 52), (112, 112), (0, 0)), mode="edge")
        with VideoWriter(
            clips / f"{recording.key}.mp4", (frames.shape[1], frames.shape[2]), Fraction(25), clip.waveform
        ) as writer:
            for frame in frames:
                writer.write(frame)
    # The whole preparation, then the floor.
    start = time.perf_counter()
    summary = prepare(FolderReader(clips), folder / "prepared", ClipSettings(CropRule(size=SIZE)), workers=WORKERS)
    middle = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = sum(pool.map(_decode_and_find, FolderReader(clips)))
    end = time.perf_counter()
    total = sum(split.frames for split in summary.splits.values())
    measured, floor = total / (middle - start), found / (end - middle)
    yield Entry("prepare: two processes", measured, floor, measured / floor, "frames/s")


def _decode_and_find(recording: FileRecording) -> int:
    cv2.setNumThreads(1)
    clip = recording.read()
    track_face(clip.frames, FaceSettings())
    return len(clip.frames)


def _growth(shards: Path, folder: Path, _: float) -> Iterator[Entry]:
    """Seconds and memory up to the first batch, as the number of shards grows; the floor is the smallest number."""
    manifest = json.loads((shards / "manifest.json").read_text())
    source = sorted(shards.glob("train-*.tar"))[0]
    count = manifest["splits"]["train"]["shards"][source.name]
    floor: dict[str, float] = {}
    for shard_count in SHARD_COUNTS:
        # A folder whose shards are all links to one file.
        many = folder / f"many-{shard_count}"
        many.mkdir()
        names = [f"train-{number:06d}.tar" for number in range(shard_count)]
        for name in names:
            (many / name).symlink_to(source)
        manifest["splits"]["train"]["shards"] = dict.fromkeys(names, count)
        (many / "manifest.json").write_text(json.dumps(manifest))
        # Fresh processes that load one batch.
        child = [sys.executable, "-m", "datamodules.bench.start", str(many)]
        runs = [json.loads(subprocess.run(child, check=True, capture_output=True).stdout) for _ in range(3)]
        for what, unit in (("seconds", "s"), ("megabytes", "MB")):
            value = statistics.median(run[what] for run in runs)
            least = floor.setdefault(what, value)
            name = "start" if what == "seconds" else "memory"
            yield Entry(f"growth: {name} with {shard_count:,} shards", value, least, value / least, unit)
