"""Scores of motion transfer: the motion of clip A on the face of clip B."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.stages.pose_scores import pose_correlations, pose_measurement, without_lips
from s2tf.faces.features import FaceFeatures, SeveralFeatures
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.face_statistics import LEAST_FRAMES


@dataclass(frozen=True)
class Transfer:
    """Readings of the motion of clip A on the face of clip B."""

    similar_to_b: float
    """Cosine between the features of the generated face and of B's face."""
    similar_to_a: float
    landmarks: FaceMotion | None = None
    """Motion of A's frames, from their landmarks, or None without a reader of generated frames."""
    read_generated: FaceMotion | None = None
    kept_by: Mapping[str, bool] = field(default_factory=dict)
    """Label of each further face network -> True if B is more similar by it."""


def transfer_measurements(
    pairs: Sequence[Transfer], protocol: dict[str, object], readable_pose: Sequence[str]
) -> list[Measurement]:
    """Measure the share of pairs that keep the identity of B, and the correlations of their motion with A's motion.

    Args:
        pairs: At least one pair; pairs without landmarks count only for the identity.
        protocol: The conditions that all numbers share.
        readable_pose: Values of the pose that are measured, see `ReconstructionScores.readable_pose`.
    """
    # Shares of pairs that keep the identity, by each face network.
    kept = float(np.mean([pair.similar_to_b > pair.similar_to_a for pair in pairs]))
    shares = {"": kept} | {
        f" ({label})": float(np.mean([pair.kept_by[label] for pair in pairs])) for label in pairs[0].kept_by
    }
    identity = [
        Measurement(f"transfer: identity kept{by}", value, protocol, 0.5, "guessing", counts={"pairs": len(pairs)})
        for by, value in shares.items()
    ]
    # Correlations of the motion, over the pairs whose motion could be read.
    readable = []
    for pair in pairs:
        if pair.landmarks is None or pair.read_generated is None:
            continue
        known = pair.landmarks.known & pair.read_generated.known
        if known.sum() >= LEAST_FRAMES:
            readable.append((without_lips(pair.read_generated, known), without_lips(pair.landmarks, known)))
    if not readable:
        return identity
    counts = {"pairs": len(pairs), "too few frames with a face": len(pairs) - len(readable)}
    mouth = mean_correlation((generated.mouth, landmarks.mouth) for generated, landmarks in readable)
    eyes = mean_correlation((generated.eyes, landmarks.eyes) for generated, landmarks in readable)
    return [
        *identity,
        Measurement("transfer: mouth correlation", mouth.mean, protocol, 0.0, "no motion", counts=counts),
        Measurement("transfer: eyes correlation", eyes.mean, protocol, 0.0, "no motion", counts=counts),
        pose_measurement(
            "transfer: pose correlation", pose_correlations(readable), readable_pose, protocol, "no motion"
        ),
    ]


def similarity(one: Tensor, other: Tensor) -> float:
    """Compute the cosine of the mean features of two sets of frames, (T, D) each."""
    return float(F.cosine_similarity(one.mean(0), other.mean(0), dim=0))


def compare_faces(faces: FaceFeatures, generated: Tensor, b: Tensor, a: Tensor) -> tuple[float, float, dict[str, bool]]:
    """Compute the similarities of a generated face to B and to A, and by each further network which is greater.

    Args:
        faces: The network or networks that computed the features (T, D).
        generated: Features of the generated frames.
        b: Features of B's frames.
        a: Features of A's frames.
    """
    if not isinstance(faces, SeveralFeatures):
        return similarity(generated, b), similarity(generated, a), {}
    by_network = zip(*map(faces.split, (generated, b, a)), strict=True)
    (to_b, to_a), *others = [(similarity(face, own), similarity(face, other)) for face, own, other in by_network]
    labels = list(faces.networks)[1:]
    return to_b, to_a, {label: one > two for label, (one, two) in zip(labels, others, strict=True)}
