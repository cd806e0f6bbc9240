"""A finished motion autoencoder, measured on whole clips: their frames rebuilt, and their motion on other faces."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest, read_split
from s2tf.errors import UserError
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.reconstruction_scores import (
    Rebuilt,
    ReconstructionScores,
    Refined,
    Transfer,
    refined,
    similarity,
    stack_frames,
    transfer_measurements,
)
from s2tf.evaluation.test_clips import another, manifests_fingerprint, name_of, shards_of
from s2tf.faces.crop import resize
from s2tf.faces.features import FaceFeatures
from s2tf.faces.motion import FaceMotion, MotionFinder
from s2tf.figures.sheet import draw_grid, sheet_indices
from s2tf.media.pictures import to_uint8
from s2tf.metrics.perceptual_distance import PerceptualDistance
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures

KIND = "reconstruction"
CLIPS_FILE = "clips.csv"
SHEETS = "samples"


@dataclass(frozen=True)
class ReconstructionTest:
    """Which frames of which clips are rebuilt."""

    shards: str | None = None
    """Other data than the run's own."""
    split: str = "test"
    clips: int | None = None
    """The first so many; all where None."""
    part: tuple[float, float] = (0.0, 1.0)
    """Of each clip; its frame 0 is the source whatever the part."""
    stride: int = 2
    """Every so many frames."""
    size: int | None = None
    """Side at which pictures are compared, pixels; the network's output where None."""
    pairs: int = 64
    """Of clips whose motion is exchanged; 0 for none."""
    batch: int = 32
    pictures: int = 16
    """Clips to draw a sheet of."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: a number is out of its range.
        """
        for name in ("clips", "stride", "size", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} {value}: expected 1 or more")
        if not 0 <= self.part[0] < self.part[1] <= 1:
            raise ValueError(f"--part {self.part[0]} {self.part[1]}: expected two shares, 0 <= first < last <= 1")


@dataclass(frozen=True)
class Readers:
    """What reads the pictures; None leaves its numbers out."""

    motion: "MotionFinder | None" = None
    perceptual: "PerceptualDistance | None" = None
    faces: "FaceFeatures | None" = None


@dataclass(frozen=True)
class Clip:
    """A test clip with what the network makes of it."""

    sample: "Sample"
    chosen: "np.ndarray"
    """(T,) which frames."""
    codes: "Tensor"
    """(T, m) of the chosen frames."""


def evaluate_reconstruction(
    run: Path,
    test: ReconstructionTest,
    readers: Readers,
    out: Path,
    report: Callable[[str], None] = lambda text: None,
) -> "Scores":
    """Rebuild, measure and write `metrics.json`, `clips.csv` and sheets into `out`.

    Raises:
        UserError: the run is not finished, or there is no clip.
    """
    autoencoder, shards = _open(run, test)
    size = test.size or autoencoder.output_size
    scores = ReconstructionScores(readers.perceptual)
    (out / SHEETS).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    clips: list[Clip] = []
    skipped: list[str] = []
    for clip in _clips(autoencoder, shards, test, skipped):
        rebuilt = _rebuild(clip, autoencoder, size, test, readers)
        rows.append({"key": clip.sample.key, "frames": len(clip.chosen), **scores.update(rebuilt)})
        if len(rows) <= test.pictures:
            _write_sheet(out / SHEETS / f"{clip.sample.key}.png", clip.sample.key, rebuilt)
        if readers.faces is not None and len(clips) <= test.pairs:
            clips.append(clip)
        report(f"{run.parent.name}: {len(rows)} clips rebuilt")
    if not rows:
        raise UserError(
            f"{shards.shards}: no clip in its split {test.split} has a frame to rebuild: {len(skipped)} are too short"
        )
    protocol = _protocol(shards, test, size, rows, readers) | {"clips too short": len(skipped)}
    measurements = scores.measurements(protocol)
    pairs = list(_transfers(clips, autoencoder, size, test, readers, report))
    if readers.faces is not None and pairs:
        measurements += transfer_measurements(
            pairs, {**protocol, "faces": dict(readers.faces.protocol)}, scores.readable_pose()
        )
    packages = [name for one in (readers.motion, readers.perceptual) if one is not None for name in one.packages]
    result = Scores(KIND, run.parent.name, measurements, protocol, [], packages=packages)
    result.write(out)
    _write_rows(rows, out / CLIPS_FILE)
    return result


def _open(run: Path, test: ReconstructionTest) -> "tuple[MotionAutoencoder, ShardSource]":
    shards = shards_of(run, "motion_autoencoder", test.shards)
    autoencoder = MotionAutoencoder.from_pretrained(run / "networks" / "motion_autoencoder")
    return autoencoder.to(test.device), shards


def _clips(
    autoencoder: "MotionAutoencoder", shards: "ShardSource", test: ReconstructionTest, skipped: list[str]
) -> Iterator[Clip]:
    """The clips with the codes of their chosen frames; keys of those without a frame are put into `skipped`."""
    for sample in islice(read_split(shards, test.split), test.clips):
        frames = sample.record.frames
        first, last = (round(edge * frames) for edge in test.part)
        # The source itself is no test of it.
        chosen = np.arange(max(first, 1), last, test.stride)
        if not len(chosen):
            skipped.append(sample.key)
            continue
        with torch.no_grad():
            codes = torch.cat(
                [
                    autoencoder.encode_motion(_inputs(part, autoencoder, test))
                    for part in _batches(sample.frames()[chosen], test.batch)
                ]
            )
        yield Clip(sample, chosen, codes)


def _rebuild(
    clip: Clip, autoencoder: "MotionAutoencoder", size: int, test: ReconstructionTest, readers: Readers
) -> "Rebuilt":
    """A clip's frames, rebuilt and read."""
    true = np.stack([resize(frame, size) for frame in clip.sample.frames()[clip.chosen]])
    source = resize(clip.sample.frames(0, 1)[0], size)[None]
    features = _encode_source(clip, autoencoder, test)
    made, refinement = _render_and_compare(autoencoder, features, clip.codes, size, test.batch)
    read = readers.motion.read if readers.motion is not None else None
    return Rebuilt(
        true=stack_frames(true),
        source=stack_frames(source),
        made=stack_frames(made),
        landmarks=_landmarks(clip) if read else None,
        read_true=read(true) if read else None,
        read_source=read(source) if read else None,
        read_made=read(made) if read else None,
        refined=refinement,
    )


def _transfers(
    clips: list[Clip],
    autoencoder: "MotionAutoencoder",
    size: int,
    test: ReconstructionTest,
    readers: Readers,
    report: Callable[[str], None],
) -> "Iterator[Transfer]":
    """Each clip's motion on the face of the next one of another person; none where there is no other person."""

    def features(frames: np.ndarray) -> "Tensor":
        assert readers.faces is not None
        return torch.cat([readers.faces.embed(part) for part in _batches(frames, test.batch)])

    samples = [clip.sample for clip in clips]
    for index, a in enumerate(clips[: test.pairs]):
        other = another(samples, index)
        if other is None:
            return
        b = clips[samples.index(other)]
        made = _render(autoencoder, _encode_source(b, autoencoder, test), a.codes, size, test.batch)
        faces = features(made)
        of_a, of_b = (
            features(np.stack([resize(frame, size) for frame in one.sample.frames()[one.chosen]])) for one in (a, b)
        )
        report(f"{index + 1} pairs of people")
        yield Transfer(
            similar_to_b=similarity(faces, of_b),
            similar_to_a=similarity(faces, of_a),
            landmarks=_landmarks(a) if readers.motion is not None else None,
            read_made=readers.motion.read(made) if readers.motion is not None else None,
        )


def _landmarks(clip: Clip) -> "FaceMotion":
    return FaceMotion.of_landmarks(clip.sample.landmarks()[clip.chosen], clip.sample.record.size)


def _render(
    autoencoder: "MotionAutoencoder", source: "SourceFeatures", codes: "Tensor", size: int, batch: int
) -> "np.ndarray":
    """Frames (T, size, size, 3) uint8, the lips and their place as the network reads them off the codes."""
    with torch.no_grad():
        frames = [to_uint8(autoencoder.decode(source, part).image) for part in codes.split(batch)]
    return np.stack([resize(frame, size) for part in frames for frame in part])


def _encode_source(clip: Clip, autoencoder: "MotionAutoencoder", test: ReconstructionTest) -> "SourceFeatures":
    """Of the clip's frame 0; computed when it is needed, since it takes much memory."""
    with torch.no_grad():
        return autoencoder.encode_source(_inputs(clip.sample.frames(0, 1), autoencoder, test))


def _render_and_compare(
    autoencoder: "MotionAutoencoder", source: "SourceFeatures", motion: "Tensor", size: int, batch: int
) -> "tuple[np.ndarray, Refined | None]":
    """As `_render`, and where the lip refiner acts: its frames beside those of the same network without it."""
    if autoencoder.lip_refiner is None:
        return _render(autoencoder, source, motion, size, batch), None
    frames, parts = [], []
    for codes in motion.split(batch):
        with torch.no_grad():
            made = autoencoder.decode(source, codes, compare_unrefined=len(codes))
        assert made.unrefined is not None
        assert made.mouth is not None
        frames += [resize(frame, size) for frame in to_uint8(made.image)]
        parts.append(refined(made.image.cpu(), made.unrefined.cpu(), made.mouth.cpu()))
    where = Refined(*(torch.cat([getattr(part, name) for part in parts]) for name in ("inside", "outside")))
    return np.stack(frames), where


def _inputs(frames: "np.ndarray", autoencoder: "MotionAutoencoder", test: ReconstructionTest) -> "Tensor":
    pictures = np.stack([resize(frame, autoencoder.input_size) for frame in frames])
    return stack_frames(pictures).to(test.device).float() / 127.5 - 1


def _batches(frames: "np.ndarray", batch: int) -> "Iterator[np.ndarray]":
    for start in range(0, len(frames), batch):
        yield frames[start : start + batch]


def _protocol(
    shards: "ShardSource", test: ReconstructionTest, size: int, rows: list[dict[str, Any]], readers: Readers
) -> dict[str, Any]:
    protocol: dict[str, Any] = {
        "clips": len(rows),
        "frames": sum(row["frames"] for row in rows),
        "shards": name_of(shards),
        "data": manifests_fingerprint([load_manifest(shards)]),
        "split": test.split,
        "part of each clip": list(test.part),
        "every": test.stride,
        "source": "frame 0, not counted",
        "picture (px)": size,
        "resize": "area averages down, cubic up",
        "lips": "as read off the motion code",
    }
    for reader in (readers.motion, readers.perceptual):
        protocol |= reader.protocol if reader is not None else {}
    return protocol


def _write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _write_sheet(path: Path, key: str, rebuilt: "Rebuilt") -> None:
    source, true, made = (frames.permute(0, 2, 3, 1).numpy() for frames in (rebuilt.source, rebuilt.true, rebuilt.made))
    shown = sheet_indices(len(true))
    rows = [("true", [source[0], *true[shown]]), ("rebuilt", [source[0], *made[shown]])]
    title = f"{key}: the source frame, true frames, and what their motion makes of the source"
    draw_grid(rows, title=title).save(path)
