"""Scores of a motion autoencoder: frames reconstructed from a clip's source frame and their own motion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.stages.lip_refiner import RefinerChange, refiner_measurement
from s2tf.evaluation.stages.pose_scores import mean_of, pose_correlations, pose_measurement, without_lips
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.face_statistics import LEAST_FRAMES
from s2tf.metrics.image import FRAMES_AT_ONCE, FrameQuality
from s2tf.metrics.landmark_distance import point_distance
from s2tf.metrics.perceptual_distance import PerceptualDistance
from s2tf.metrics.sharpness import gradient_energy

COPY = "source frame copied"
PLACEMENT = ("centre x", "centre y", "log scale", "roll", "yaw", "pitch")
READABLE = 0.8
"""Least correlation with the landmarks, on reference frames, at which a value of the pose is measured."""


@dataclass(frozen=True)
class ReconstructedClip:
    """A clip's frames reconstructed from its source frame and their own motion; pictures are uint8, (T, 3, R, R)."""

    reference: Tensor
    source: Tensor
    """(1, 3, R, R)"""
    reconstructed: Tensor
    landmarks: FaceMotion | None = None
    """Motion of the reference frames, from their landmarks."""
    read_reference: FaceMotion | None = None
    """Motion of the reference frames, read in the same way as that of the reconstructed frames."""
    read_source: FaceMotion | None = None
    read_reconstructed: FaceMotion | None = None
    refiner_change: RefinerChange | None = None
    """Change of the pictures by the lip refiner, or None without a refiner."""
    read_error: tuple[np.ndarray, np.ndarray] | None = None
    """Errors of the placement (T, 4 or 6) and of the lips (T, 20 D) that shape the mouth, or None if unknown."""


@dataclass
class _Mean:
    """A mean over frames."""

    total: float = 0.0
    count: int = 0

    def add(self, values: Tensor | np.ndarray) -> None:
        self.total += float(values.sum())
        self.count += values.shape[0]

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else math.nan


def _means(*names: str) -> dict[str, _Mean]:
    return {name: _Mean() for name in names}


@dataclass
class ReconstructionScores:
    """Collects clips, one by one.

    Attributes:
        perceptual: Distance of frames, or None to leave it out.
    """

    perceptual: PerceptualDistance | None = None
    quality: dict[str, FrameQuality] = field(
        default_factory=lambda: {"reconstructed": FrameQuality(), "source copy": FrameQuality()}
    )
    distances: dict[str, _Mean] = field(default_factory=lambda: _means("reconstructed", "source copy"))
    sharpness: dict[str, _Mean] = field(default_factory=lambda: _means("reconstructed", "source copy"))
    lips: dict[str, _Mean] = field(default_factory=lambda: _means("reconstructed", "source copy", "reference"))
    motions: list[tuple[FaceMotion, FaceMotion, FaceMotion]] = field(default_factory=list)
    """Motion of each clip by the landmarks, and as read on reference and on reconstructed frames; without lips."""
    refiner: dict[str, _Mean] = field(default_factory=lambda: _means("inside", "outside"))
    read_errors: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"placement": [], "lips": []})
    """Errors of the placements and lips that the renderer uses, of each clip."""
    short: int = 0
    """Number of clips with fewer than `LEAST_FRAMES` readable frames; correlations leave them out."""
    unread: int = 0
    """Number of frames in which a face could not be read; landmark errors leave them out."""

    def update(self, clip: ReconstructedClip) -> dict[str, float]:
        """Add a clip and return its own numbers."""
        before = self._sums()
        parts = zip(clip.reference.split(FRAMES_AT_ONCE), clip.reconstructed.split(FRAMES_AT_ONCE), strict=True)
        for reference, reconstructed in parts:
            self._compare(reference, reconstructed, clip.source.expand_as(reference))
        if clip.refiner_change is not None:
            self.refiner["inside"].add(clip.refiner_change.inside)
            self.refiner["outside"].add(clip.refiner_change.outside)
        for name, error in zip(self.read_errors, clip.read_error or (), strict=False):
            self.read_errors[name].append(error)
        own = {name: (total - before[name]) / len(clip.reference) for name, total in self._sums().items()}
        if clip.landmarks is not None and clip.read_reference is not None:
            own |= self._read(clip)
        return own

    def _sums(self) -> dict[str, float]:
        """Return the sums over all frames so far."""
        quality = self.quality["reconstructed"]
        return {"psnr": float(quality.psnr_sum), "ssim": float(quality.ssim_sum)}

    def _compare(self, reference: Tensor, reconstructed: Tensor, source_copy: Tensor) -> None:
        energy = gradient_energy(reference)
        for name, frames in (("reconstructed", reconstructed), ("source copy", source_copy)):
            self.quality[name].update(frames, reference)
            self.sharpness[name].add(gradient_energy(frames) / energy)
            if self.perceptual is not None:
                self.distances[name].add(self.perceptual.compare(frames, reference))

    def _read(self, clip: ReconstructedClip) -> dict[str, float]:
        """Add the motion read from a clip's pictures, and return the clip's own error of the lips."""
        assert clip.landmarks is not None
        assert clip.read_reference is not None
        assert clip.read_source is not None
        assert clip.read_reconstructed is not None
        # Keep only the frames in which the face was found in every video.
        known = clip.landmarks.known & clip.read_reference.known & clip.read_reconstructed.known
        known &= np.broadcast_to(clip.read_source.known, known.shape)
        self.unread += int((~known).sum())

        # Compare the lips of each set of frames with the landmarks.
        read = {
            "reconstructed": clip.read_reconstructed.lips,
            "reference": clip.read_reference.lips,
            "source copy": clip.read_source.lips,
        }
        errors = {
            name: point_distance(np.broadcast_to(lips, clip.landmarks.lips.shape), clip.landmarks.lips)[known]
            for name, lips in read.items()
        }
        for name, error in errors.items():
            self.lips[name].add(error)

        if known.sum() >= LEAST_FRAMES:
            landmarks, reference, reconstructed = (
                without_lips(one, known) for one in (clip.landmarks, clip.read_reference, clip.read_reconstructed)
            )
            self.motions.append((landmarks, reference, reconstructed))
        else:
            self.short += 1
        return {"lip_error": float(errors["reconstructed"].mean()) if known.any() else math.nan}

    def measurements(self, protocol: dict[str, object]) -> list[Measurement]:
        """Compute the numbers, each beside those of the source copy and of the reference frames."""
        reconstructed, copied = (
            {name: float(value) for name, value in self.quality[one].compute().items()}
            for one in ("reconstructed", "source copy")
        )
        frames = {"frames": int(self.quality["reconstructed"].frames)}
        rows = [
            Measurement("PSNR", reconstructed["psnr"], protocol, copied["psnr"], COPY, 100.0, counts=frames),
            Measurement("SSIM", reconstructed["ssim"], protocol, copied["ssim"], COPY, 1.0, counts=frames),
            self._sharpness(protocol),
        ]
        if self.perceptual is not None:
            record = {**protocol, **self.perceptual.protocol}
            rows.append(_lower(self.perceptual.name, self.distances, record, 0.0, frames))
        if self.refiner["inside"].count:
            inside, outside = (self.refiner[name].value for name in ("inside", "outside"))
            rows.append(refiner_measurement(inside, outside, protocol))
        rows += self._read_errors(protocol)
        if self.lips["reconstructed"].count:
            counts = {"frames": self.lips["reconstructed"].count, "frames without a face": self.unread}
            rows.append(_lower("lip landmark error", self.lips, protocol, self.lips["reference"].value, counts))
        if self.motions:
            rows += self._correlations(protocol)
        return rows

    def _read_errors(self, protocol: dict[str, object]) -> list[Measurement]:
        """Compute the deviation of placement and lips from the landmarks: the noise that the refiner has to bear."""
        rows = []
        units = {"placement": "picture units, log scale, radians", "lips": "outer-eye distances"}
        titles = {"placement": "placement error", "lips": "error of the refiner's lips"}
        for name, errors in self.read_errors.items():
            if errors:
                each = np.sqrt(np.square(np.concatenate(errors)).mean(axis=0))
                record = {**protocol, "unit": units[name]}
                if name == "placement":
                    record |= dict(zip(PLACEMENT, np.round(each, 4).tolist(), strict=False))
                value = float(np.sqrt(np.square(each).mean()))
                rows.append(Measurement(titles[name], value, record, truth=0.0, higher_is_better=False))
        return rows

    def _sharpness(self, protocol: dict[str, object]) -> Measurement:
        value, baseline = (self.sharpness[name].value for name in ("reconstructed", "source copy"))
        return Measurement("sharpness", value, protocol, baseline, COPY, 1.0, higher_is_better=None)

    def _correlations(self, protocol: dict[str, object]) -> list[Measurement]:
        """Compute the correlations of mouth, eyes and pose with the landmarks."""
        rows = []
        for name in ("mouth", "eyes"):
            reconstructed, reference = (
                mean_correlation((getattr(motions[which], name), getattr(motions[0], name)) for motions in self.motions)
                for which in (2, 1)
            )
            counts = {
                "clips": reconstructed.clips,
                "still": reconstructed.still,
                "undefined": reconstructed.undefined,
                "short": self.short,
            }
            values = reconstructed.mean, protocol, 0.0, COPY, reference.mean
            rows.append(Measurement(f"{name} correlation", *values, counts=counts))
        pose = pose_correlations([(reconstructed, landmarks) for landmarks, _, reconstructed in self.motions])
        truth = mean_of(self._pose_of_reference(), self.readable_pose())
        rows.append(pose_measurement("pose correlation", pose, self.readable_pose(), protocol, COPY, truth))
        return rows

    def readable_pose(self) -> list[str]:
        """List the values of the pose that can be read from the reference frames; the others move too little."""
        return [name for name, value in self._pose_of_reference().items() if value >= READABLE]

    def _pose_of_reference(self) -> dict[str, float]:
        return pose_correlations([(reference, landmarks) for landmarks, reference, _ in self.motions])


def _lower(
    name: str, values: Mapping[str, _Mean], protocol: dict[str, object], truth: float, counts: dict[str, int]
) -> Measurement:
    """Build a measurement for which lower is better."""
    value, baseline = (values[one].value for one in ("reconstructed", "source copy"))
    return Measurement(name, value, protocol, baseline, COPY, truth, higher_is_better=False, counts=counts)
