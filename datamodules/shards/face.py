"""Faces of a sample's frames: their landmarks in picture units, in the plane or in space."""

import numpy as np

from datamodules.shards.errors import ShardError
from datamodules.shards.samples import DEPTH, MESH, Sample
from s2tf.faces.head import canonical_head
from s2tf.faces.lips import FacePose, canonical_face, to_picture_units


def landmarks_of(sample: Sample, frames: slice | np.ndarray, space: bool = False) -> np.ndarray:
    """The landmarks of some frames in picture units, (..., 68, 2) float32; in space (..., 68, 3).

    Raises:
        ShardError: The sample does not hold the depth of its landmarks.
    """
    size = sample.record.size
    plane = to_picture_units(sample.landmarks()[frames], size).astype(np.float32)
    if not space:
        return plane
    return np.concatenate([plane, _depth(sample)[frames][..., None] * np.float32(2 / size)], axis=-1)


def mesh_of(sample: Sample, frames: slice | np.ndarray) -> np.ndarray:
    """The face mesh of some frames in picture units, (..., 478, 3) float32.

    Raises:
        ShardError: The sample has no mesh.
    """
    mesh, size = sample.mesh(), sample.record.size
    if mesh is None:
        raise ShardError(f"sample {sample.key!r} has no face mesh ({MESH}), expected one of 478 points")
    chosen = mesh[frames].astype(np.float32)
    plane = to_picture_units(chosen[..., :2], size).astype(np.float32)
    return np.concatenate([plane, chosen[..., 2:] * np.float32(2 / size)], axis=-1)


def face_of(sample: Sample, space: bool = False) -> FacePose:
    """The lips, eyes and placements of all frames, see `s2tf.faces.lips`; in space, see `s2tf.faces.head`."""
    return canonical(landmarks_of(sample, slice(None), space))


def canonical(landmarks: np.ndarray) -> FacePose:
    """The canonical face of landmarks (..., 68, 2) or (..., 68, 3) in picture units."""
    return canonical_head(landmarks) if landmarks.shape[-1] == 3 else canonical_face(landmarks)


def _depth(sample: Sample) -> np.ndarray:
    depth = sample.depth()
    if depth is None:
        raise ShardError(
            f"sample {sample.key!r} has neither the depth of its landmarks ({DEPTH}) nor a face mesh ({MESH}), which "
            "lips in space need: prepare the data again, with --landmarks mediapipe and without --no-mesh"
        )
    return depth
