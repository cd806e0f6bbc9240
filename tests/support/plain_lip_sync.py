"""The plain forms of lip sync, which hold a whole clip in memory: the streaming ones must agree with them."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from s2tf.faces.backends import open_detector
from s2tf.faces.tracks import FaceTracker, TrackCrops
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.metrics.lip_sync import SHIFT, LipSyncReader, LipSyncScore, distance_sums
from s2tf.models.syncnet import SyncNet


def sync_distances(lips: Tensor, audio: Tensor, shift: int = SHIFT) -> Tensor:
    """The mean distance of lips (N, D) to audio (M, D) at every shift; audio beyond its ends counts as zeros."""
    behind = max(0, len(lips) + shift - len(audio))
    return distance_sums(lips, F.pad(audio, (0, 0, shift, behind)), shift) / len(lips)


def track_scores(crops: Iterable[TrackCrops], waveform: np.ndarray, network: SyncNet) -> Iterator[LipSyncScore]:
    """The score of every face of a clip, as its track ends."""
    readers: dict[int, LipSyncReader] = {}
    for piece in crops:
        if piece.track not in readers:
            readers[piece.track] = LipSyncReader(network, waveform[piece.start * SAMPLES_PER_FRAME :])
        readers[piece.track].update(piece.crops)
        if piece.last:
            yield readers.pop(piece.track).score()


def tracked_crops(frames: Iterable[np.ndarray], tracker: FaceTracker) -> Iterator[TrackCrops]:
    """The crops of all faces of a clip that are long and large enough; `tracker.refused` names the others."""
    detector, frames = open_detector(tracker.settings.detector), list(frames)
    for index, frame in enumerate(frames):
        wanted = index == len(frames) - 1 or index % tracker.settings.every == 0
        yield from tracker.add(frame, detector.detect(frame) if wanted else ())
    yield from tracker.finish()
