"""What a motion autoencoder is measured by: frames rebuilt from their own motion, and motion given to another face."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.lips import POSE
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.face_statistics import LEAST_FRAMES
from s2tf.metrics.image import FRAMES_AT_ONCE, FrameQuality
from s2tf.metrics.landmark_distance import point_distance
from s2tf.metrics.perceptual_distance import PerceptualDistance
from s2tf.metrics.sharpness import gradient_energy
from s2tf.nn.lips import mouth_region

COPY = "source frame copied"
MOUTH_MARGIN = 0.5
"""As far as the refiner itself may act, see `s2tf.nn.lips.mouth_region`."""
READABLE = 0.8
"""Least correlation with the landmarks at which a value of the pose, read on true frames, can tell anything."""
REFINER_LEAK = 0.05
"""Of its change at the mouth: the most that the refiner may change elsewhere."""


@dataclass(frozen=True)
class Refined:
    """The mean absolute change of pixels by the lip refiner, (T,) each, of 1 for the whole range."""

    inside: Tensor
    """In the box around the mouth, `MOUTH_MARGIN` of its widths larger on each side."""
    outside: Tensor


def refined(made: Tensor, unrefined: Tensor, lips: Tensor) -> Refined:
    """Compare pictures (T, 3, R, R) in [-1, 1] with and without the refiner, given placed lips (T, 20, 2)."""
    change = (made - unrefined).abs().mean(1) / 2
    box = (mouth_region(lips, made.shape[-1], MOUTH_MARGIN)[:, 0] > 0).to(change)
    inside, outside = ((change * part).sum((1, 2)) / part.sum((1, 2)).clamp_min(1) for part in (box, 1 - box))
    return Refined(inside, outside)


@dataclass(frozen=True)
class Rebuilt:
    """A clip's frames rebuilt from its source frame and their own motion; pictures are uint8, (T, 3, R, R)."""

    true: Tensor
    source: Tensor
    """(1, 3, R, R)"""
    made: Tensor
    landmarks: FaceMotion | None = None
    """Of the true frames, from their landmarks."""
    read_true: FaceMotion | None = None
    """Of the true frames, as what reads the made ones reads them."""
    read_source: FaceMotion | None = None
    read_made: FaceMotion | None = None
    refined: Refined | None = None
    """Where the lip refiner has changed the pictures; None without one."""


@dataclass(frozen=True)
class Transfer:
    """The motion of clip A on the face of clip B."""

    similar_to_b: float
    """Cosine of the made face and B's, in features of faces."""
    similar_to_a: float
    landmarks: FaceMotion | None = None
    """Of A's true frames; None where nothing reads the made ones."""
    read_made: FaceMotion | None = None


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


@dataclass
class ReconstructionScores:
    """Collects clips, one by one.

    Attributes:
        perceptual: compares frames; None leaves that out.
    """

    perceptual: PerceptualDistance | None = None
    quality: dict[str, FrameQuality] = field(default_factory=lambda: {"made": FrameQuality(), "copy": FrameQuality()})
    distances: dict[str, _Mean] = field(default_factory=lambda: {"made": _Mean(), "copy": _Mean()})
    sharpness: dict[str, _Mean] = field(default_factory=lambda: {"made": _Mean(), "copy": _Mean()})
    lips: dict[str, _Mean] = field(default_factory=lambda: {"made": _Mean(), "copy": _Mean(), "true": _Mean()})
    motions: list[tuple[FaceMotion, FaceMotion, FaceMotion]] = field(default_factory=list)
    """Of each clip the landmarks, what was read on the true, and on the made frames; without the lips."""
    refinement: dict[str, _Mean] = field(default_factory=lambda: {"inside": _Mean(), "outside": _Mean()})
    short: int = 0
    """Clips with fewer than `LEAST_FRAMES` readable frames, so that they count in no correlation."""
    unread: int = 0
    """Frames in which a face could not be read, so that they count in no landmark error."""

    def update(self, clip: Rebuilt) -> dict[str, float]:
        """Add a clip; returns its own numbers."""
        before = self._sums()
        for true, made in zip(clip.true.split(FRAMES_AT_ONCE), clip.made.split(FRAMES_AT_ONCE), strict=True):
            self._compare(clip.source.expand_as(true), true, made)
        if clip.refined is not None:
            self.refinement["inside"].add(clip.refined.inside)
            self.refinement["outside"].add(clip.refined.outside)
        own = {name: (total - before[name]) / len(clip.true) for name, total in self._sums().items()}
        if clip.landmarks is not None and clip.read_true is not None:
            own |= self._read(clip)
        return own

    def _sums(self) -> dict[str, float]:
        """Over all frames so far."""
        quality = self.quality["made"]
        return {"psnr": float(quality.psnr_sum), "ssim": float(quality.ssim_sum)}

    def _compare(self, copy: Tensor, true: Tensor, made: Tensor) -> None:
        true_energy = gradient_energy(true)
        for name, frames in (("made", made), ("copy", copy)):
            self.quality[name].update(frames, true)
            self.sharpness[name].add(gradient_energy(frames) / true_energy)
            if self.perceptual is not None:
                self.distances[name].add(self.perceptual.compare(frames, true))

    def _read(self, clip: Rebuilt) -> dict[str, float]:
        assert clip.landmarks is not None
        assert clip.read_true is not None
        assert clip.read_source is not None
        assert clip.read_made is not None
        known = clip.landmarks.known & clip.read_true.known & clip.read_made.known
        known &= np.broadcast_to(clip.read_source.known, known.shape)
        self.unread += int((~known).sum())
        read = {"made": clip.read_made.lips, "true": clip.read_true.lips, "copy": clip.read_source.lips}
        errors = {
            name: point_distance(np.broadcast_to(lips, clip.landmarks.lips.shape), clip.landmarks.lips)[known]
            for name, lips in read.items()
        }
        for name, error in errors.items():
            self.lips[name].add(error)
        landmarks, true, made = (_only(one, known) for one in (clip.landmarks, clip.read_true, clip.read_made))
        if known.sum() >= LEAST_FRAMES:
            self.motions.append((landmarks, true, made))
        else:
            self.short += 1
        return {"lip_error": float(errors["made"].mean()) if known.any() else math.nan}

    def measurements(self, protocol: dict[str, object]) -> list[Measurement]:
        """The numbers, each beside that of the copied source and of the true frames."""
        made, copy = (
            {name: float(value) for name, value in self.quality[one].compute().items()} for one in ("made", "copy")
        )
        frames = {"frames": int(self.quality["made"].frames)}
        rows = [
            Measurement("PSNR", made["psnr"], protocol, copy["psnr"], COPY, 100.0, counts=frames),
            Measurement("SSIM", made["ssim"], protocol, copy["ssim"], COPY, 1.0, counts=frames),
            _sharpness(self.sharpness["made"].value, self.sharpness["copy"].value, protocol),
        ]
        if self.perceptual is not None:
            record = {**protocol, **self.perceptual.protocol}
            values = (self.distances[name].value for name in ("made", "copy"))
            rows.append(_lower(self.perceptual.name, next(values), record, next(values), 0.0, frames))
        if self.refinement["inside"].count:
            rows.append(self._refinement(protocol))
        if self.lips["made"].count:
            counts = {"frames": self.lips["made"].count, "frames without a face": self.unread}
            error = {name: mean.value for name, mean in self.lips.items()}
            rows.append(_lower("lip landmark error", error["made"], protocol, error["copy"], error["true"], counts))
        if self.motions:
            rows += self._correlations(protocol)
        return rows

    def _refinement(self, protocol: dict[str, object]) -> Measurement:
        inside, outside = (self.refinement[name].value for name in ("inside", "outside"))
        record = {**protocol, "change inside": inside, "mouth box": f"larger by {MOUTH_MARGIN} widths on each side"}
        return Measurement(
            "refiner's change outside the mouth, of that inside",
            outside / inside if inside else math.nan,
            record,
            target=REFINER_LEAK,
            target_rule="5 %",
            higher_is_better=False,
        )

    def _correlations(self, protocol: dict[str, object]) -> list[Measurement]:
        rows = []
        for name in ("mouth", "eyes"):
            made, read = (
                mean_correlation((getattr(motions[which], name), getattr(motions[0], name)) for motions in self.motions)
                for which in (2, 1)
            )
            counts = {"clips": made.clips, "still": made.still, "undefined": made.undefined, "short": self.short}
            rows.append(Measurement(f"{name} correlation", made.mean, protocol, 0.0, COPY, read.mean, counts=counts))
        pose = _pose_correlations([(made, landmarks) for landmarks, _, made in self.motions])
        truth = _mean_of(self._pose_of_truth(), self.readable_pose())
        rows.append(_pose("pose correlation", pose, self.readable_pose(), protocol, COPY, truth))
        return rows

    def readable_pose(self) -> list[str]:
        """The values of the pose that can be read off the true frames; the others move too little to be seen."""
        return [name for name, value in self._pose_of_truth().items() if value >= READABLE]

    def _pose_of_truth(self) -> dict[str, float]:
        return _pose_correlations([(true, landmarks) for landmarks, true, _ in self.motions])


def transfer_measurements(
    pairs: Sequence[Transfer], protocol: dict[str, object], readable_pose: Sequence[str]
) -> list[Measurement]:
    """Whether the motion of A on the face of B keeps who B is and does what A does.

    Args:
        pairs: one or more; those without landmarks count for the identity alone.
        protocol: how they were made.
        readable_pose: values of the pose that count, see `ReconstructionScores.readable_pose`.
    """
    kept = float(np.mean([pair.similar_to_b > pair.similar_to_a for pair in pairs]))
    identity = Measurement("transfer: identity kept", kept, protocol, 0.5, "guessing", counts={"pairs": len(pairs)})
    readable = []
    for pair in pairs:
        if pair.landmarks is None or pair.read_made is None:
            continue
        known = pair.landmarks.known & pair.read_made.known
        if known.sum() >= LEAST_FRAMES:
            readable.append((_only(pair.read_made, known), _only(pair.landmarks, known)))
    if not readable:
        return [identity]
    counts = {"pairs": len(pairs), "too few frames with a face": len(pairs) - len(readable)}
    mouth = mean_correlation((made.mouth, true.mouth) for made, true in readable)
    eyes = mean_correlation((made.eyes, true.eyes) for made, true in readable)
    return [
        identity,
        Measurement("transfer: mouth correlation", mouth.mean, protocol, 0.0, "no motion", counts=counts),
        Measurement("transfer: eyes correlation", eyes.mean, protocol, 0.0, "no motion", counts=counts),
        _pose("transfer: pose correlation", _pose_correlations(readable), readable_pose, protocol, "no motion"),
    ]


def similarity(one: Tensor, other: Tensor) -> float:
    """Cosine of the mean features of two sets of frames, (T, D) each."""
    return float(F.cosine_similarity(one.mean(0), other.mean(0), dim=0))


def _pose_correlations(pairs: Sequence[tuple[FaceMotion, FaceMotion]]) -> dict[str, float]:
    """Of each value of the pose: the first of each pair with the second."""
    return {
        name: mean_correlation((made.pose[:, index], true.pose[:, index]) for made, true in pairs).mean
        for index, name in enumerate(POSE)
    }


def _mean_of(values: Mapping[str, float], names: Sequence[str]) -> float:
    return float(np.mean([values[name] for name in names])) if names else math.nan


def _pose(
    name: str,
    values: Mapping[str, float],
    readable: Sequence[str],
    protocol: dict[str, object],
    baseline: str,
    truth: float | None = None,
) -> Measurement:
    each = {f"pose: {key}": round(value, 3) for key, value in values.items()}
    record = {**protocol, "pose: those counted": ", ".join(readable), **each}
    return Measurement(name, _mean_of(values, readable), record, 0.0, baseline, truth)


def _only(motion: FaceMotion, known: np.ndarray) -> FaceMotion:
    """The known frames, without their lips: what is kept of every clip should be little."""
    return FaceMotion(motion.lips[known, :0], motion.mouth[known], motion.eyes[known], motion.pose[known])


def _sharpness(made: float, copy: float, protocol: dict[str, object]) -> Measurement:
    return Measurement("sharpness", made, protocol, copy, COPY, 1.0, higher_is_better=None)


def _lower(
    name: str, value: float, protocol: dict[str, object], baseline: float, truth: float, counts: dict[str, int]
) -> Measurement:
    return Measurement(name, value, protocol, baseline, COPY, truth, higher_is_better=False, counts=counts)


def stack_frames(frames: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 as (T, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
