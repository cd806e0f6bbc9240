"""Evaluation of a motion autoencoder on whole clips: reconstruction of frames, transfer of motion to other faces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.sources import ShardSource
from s2tf.errors import UserError
from s2tf.evaluation.clips_of_run import another, clips_of_split, datasets_of, shards_of, shards_protocol
from s2tf.evaluation.result_files import CLIPS_FILE
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.codebook_control import CodebookScores, control_pictures, spread
from s2tf.evaluation.stages.lip_landmarks import LipNetwork
from s2tf.evaluation.stages.reconstruction_scores import ReconstructedClip, ReconstructionScores
from s2tf.evaluation.stages.render_clips import ClipRenderer, EncodedClip, in_batches
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.evaluation.stages.transfer_scores import Transfer, compare_faces, transfer_measurements
from s2tf.faces.features import FaceFeatures
from s2tf.faces.motion import MotionFinder
from s2tf.figures.sheet import draw_grid, sheet_indices
from s2tf.metrics.perceptual_distance import PerceptualDistance
from s2tf.models.lips_from_speech import check_lips
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures
from s2tf.tables.write_table import write_table

KIND = "reconstruction"
NETWORKS = ("motion_autoencoder",)
SHEETS = "samples"


@dataclass(frozen=True)
class ReconstructionTest:
    """Choice of the frames and clips that are reconstructed."""

    shards: str | None = None
    """Shards to use instead of the run's own data."""
    split: str = "test"
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    span: tuple[float, float] = (0.0, 1.0)
    """Part of each clip that is measured, as shares of its length; the source is always frame 0."""
    stride: int = 2
    """Distance between two measured frames, in frames."""
    size: int | None = None
    """Side in pixels at which pictures are compared, or None for that of the network's output."""
    pairs: int = 64
    """Number of clips whose motion is transferred to another face."""
    batch: int = 32
    pictures: int = 16
    """Number of clips for which a sheet is written."""
    device: str = "cpu"
    lips: Path | None = None
    """Finished run of the lip landmarks, whose lips the refiner gets; None: lips read from the motion codes."""

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: A number is out of its range.
        """
        check_counts(self, "clips", "stride", "size", "batch")
        first, last = self.span
        if not 0 <= first < last <= 1:
            raise ValueError(f"--span {first} {last}: expected two shares, 0 <= first < last <= 1")


@dataclass(frozen=True)
class Readers:
    """The readers of the pictures; the numbers of a reader that is None are left out."""

    motion: MotionFinder | None = None
    perceptual: PerceptualDistance | None = None
    faces: FaceFeatures | None = None


def evaluate_reconstruction(
    run: Path, test: ReconstructionTest, readers: Readers, out: Path, report: Report = silent
) -> Scores:
    """Reconstruct and measure clips; write `metrics.json`, `clips.csv` and sheets into `out`.

    Args:
        run: A finished run of the motion autoencoder.
        test: The frames and clips.
        readers: The readers of the pictures.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished, or there is no clip.
    """
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    shards = shards_of(stage_run.config, run, test.shards)
    autoencoder = stage_run.networks["motion_autoencoder"]
    lips = None if test.lips is None else _open_lips(test.lips, autoencoder, test.device)
    renderer = ClipRenderer(autoencoder, test.size or autoencoder.output_size, test.batch, test.device, lips)
    (out / SHEETS).mkdir(parents=True, exist_ok=True)

    # Reconstruct clip by clip; keep some clips for the transfers, which need two people.
    scores, codebook = ReconstructionScores(readers.perceptual), CodebookScores.of(autoencoder)
    rows: list[dict[str, Any]] = []
    kept: list[EncodedClip] = []
    skipped: list[str] = []
    for clip in stage_run.each(_clips(renderer, shards, test, skipped)):
        reconstructed = _reconstruct(clip, renderer, readers)
        rows.append({"key": clip.sample.key, "frames": len(clip.chosen), **scores.update(reconstructed)})
        if codebook is not None:
            _add_controls(codebook, clip, renderer, reconstructed)
        if len(rows) <= test.pictures:
            _write_sheet(out / SHEETS / f"{clip.sample.key}.png", clip.sample.key, reconstructed)
        if readers.faces is not None and len(kept) <= test.pairs:
            kept.append(clip)
    if not rows:
        raise UserError(
            f"{shards.shards}: no clip of split {test.split} has a frame to reconstruct: {len(skipped)} are too short"
        )

    # Measure the reconstructions, and transfers between pairs of people if faces are read.
    protocol = _protocol(shards, test, renderer.size, rows, readers) | {"clips too short": len(skipped)}
    measurements = scores.measurements(protocol)
    measurements += [] if codebook is None else codebook.measurements(protocol)
    if readers.faces is not None:
        transfers = _transfers(kept, renderer, test.pairs, readers.faces, readers.motion)
        pairs = list(stage_run.each(transfers, what="pairs of people"))
        record = {**protocol, "faces": dict(readers.faces.protocol)}
        measurements += transfer_measurements(pairs, record, scores.readable_pose()) if pairs else []

    # Write the numbers with the versions of all packages that read pictures.
    packages = [
        name for one in (readers.motion, readers.perceptual, readers.faces) if one is not None for name in one.packages
    ]
    result = stage_run.write(KIND, measurements, protocol, out, packages, datasets_of([shards], test.split))
    write_table(rows, out / CLIPS_FILE, ("key", "frames"))
    return result


def _clips(
    renderer: ClipRenderer, shards: ShardSource, test: ReconstructionTest, skipped: list[str]
) -> Iterator[EncodedClip]:
    """Yield the clips with the codes of their chosen frames; `skipped` gets the keys of clips without such a frame."""
    for sample in clips_of_split(shards, test.split, test.clips):
        first, last = (round(edge * sample.record.frames) for edge in test.span)
        # Frame 0 is the source and is not measured.
        chosen = np.arange(max(first, 1), last, test.stride)
        if len(chosen):
            yield renderer.encode(sample, chosen)
        else:
            skipped.append(sample.key)


def _reconstruct(clip: EncodedClip, renderer: ClipRenderer, readers: Readers) -> ReconstructedClip:
    """Reconstruct and read a clip's frames."""
    reference, source = clip.frames(renderer.size), clip.source(renderer.size)
    features = renderer.encode_source(clip)
    reconstructed, change = renderer.render_and_compare(features, clip.codes, clip.lips)
    read = readers.motion.read if readers.motion is not None else None
    return ReconstructedClip(
        reference=_channels_first(reference),
        source=_channels_first(source),
        reconstructed=_channels_first(reconstructed),
        landmarks=clip.landmarks if read else None,
        read_reference=read(reference) if read else None,
        read_source=read(source) if read else None,
        read_reconstructed=read(reconstructed) if read else None,
        refiner_change=change,
        read_error=_read_error(features, clip, renderer),
    )


def _add_controls(
    codebook: CodebookScores, clip: EncodedClip, renderer: ClipRenderer, reconstructed: ReconstructedClip
) -> None:
    """Render some frames of a clip with other codes and at other fidelities."""
    chosen = spread(len(clip.codes))
    source = renderer.encode_source(clip)
    lips = None if clip.lips is None else clip.lips[chosen]
    controls = control_pictures(renderer.autoencoder, source, clip.codes[chosen], renderer.size, lips)
    codebook.update(controls, reconstructed.reference[chosen], reconstructed.source)


def _open_lips(run: Path, autoencoder: MotionAutoencoder, device: str) -> LipNetwork:
    """Open a run of the lip landmarks for the refiner of an autoencoder.

    Raises:
        UserError: The run is not finished, or its lips are of another kind than the autoencoder's.
    """
    lips = LipNetwork.open(run, device)
    try:
        check_lips(lips.network, lips.features, autoencoder.motion_reader.space)
    except ValueError as error:
        raise UserError(f"--lips {run}: {error}") from error
    return lips


def _read_error(
    features: SourceFeatures, clip: EncodedClip, renderer: ClipRenderer
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the errors of placement and lips; None where the data do not hold the landmarks' depth."""
    if renderer.autoencoder.motion_reader.space and clip.sample.depth() is None:
        return None
    return renderer.read_error(features, clip)


def _transfers(
    clips: Sequence[EncodedClip],
    renderer: ClipRenderer,
    pairs: int,
    faces: FaceFeatures,
    motion: MotionFinder | None,
) -> Iterator[Transfer]:
    """Transfer each clip's motion to the next clip of another person; nothing if there is only one person."""

    def features(frames: np.ndarray) -> Tensor:
        return torch.cat([faces.embed(part) for part in in_batches(frames, renderer.batch)])

    samples = [clip.sample for clip in clips]
    for index, a in enumerate(clips[:pairs]):
        other = another(samples, index)
        if other is None:
            return
        b = clips[samples.index(other)]
        generated = renderer.render(renderer.encode_source(b), a.codes)
        sets = [features(frames) for frames in (generated, b.frames(renderer.size), a.frames(renderer.size))]
        to_b, to_a, kept_by = compare_faces(faces, *sets)
        yield Transfer(
            similar_to_b=to_b,
            similar_to_a=to_a,
            kept_by=kept_by,
            landmarks=a.landmarks if motion is not None else None,
            read_generated=motion.read(generated) if motion is not None else None,
        )


def _protocol(
    shards: ShardSource, test: ReconstructionTest, size: int, rows: Sequence[dict[str, Any]], readers: Readers
) -> dict[str, Any]:
    protocol: dict[str, Any] = {
        **shards_protocol(shards, len(rows)),
        "frames": sum(row["frames"] for row in rows),
        "split": test.split,
        "part of each clip": list(test.span),
        "every": test.stride,
        "source": "frame 0, not counted",
        "picture (px)": size,
        "resize": "area averages down, cubic up",
        "lips": "as read off the motion code",
    }
    if test.lips is not None:
        run = test.lips.resolve()
        protocol |= {"lips": f"audio2lmk of {run.parent.name}/{run.name}", "lips of transfers": protocol["lips"]}
    for reader in (readers.motion, readers.perceptual):
        protocol |= reader.protocol if reader is not None else {}
    return protocol


def _channels_first(frames: np.ndarray) -> Tensor:
    """Convert (T, H, W, 3) uint8 to (T, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)


def _write_sheet(path: Path, key: str, clip: ReconstructedClip) -> None:
    """Write frames of the reference and of the reconstruction, each row beginning with the source frame."""
    source, reference, reconstructed = (
        frames.permute(0, 2, 3, 1).numpy() for frames in (clip.source, clip.reference, clip.reconstructed)
    )
    shown = sheet_indices(len(reference))
    rows = [
        ("reference", [source[0], *reference[shown]]),
        ("reconstructed", [source[0], *reconstructed[shown]]),
    ]
    title = f"{key}: the source frame, reference frames, and the source moved by their motion"
    draw_grid(rows, title=title).save(path)
