"""Lip sync of compared videos: SyncNet's distance at every offset between picture and sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2tf.errors import UserError
from s2tf.evaluation.compare.faces import Video
from s2tf.evaluation.sources import VideoFile
from s2tf.evaluation.videos.sync_measure import FaceScores
from s2tf.faces.track_settings import TrackSettings
from s2tf.figures.motion_figures import draw_sync
from s2tf.media.video import VideoStream
from s2tf.metrics.lip_sync import LipSyncScore
from s2tf.models.syncnet import SyncNet
from s2tf.nn.published_weights import RANDOM_WEIGHTS
from s2tf.tables.write_table import write_table

FIGURE, TABLE = "sync.png", "sync.csv"


def open_syncnet(folder: Path) -> SyncNet:
    """Open the network of `--syncnet`.

    Raises:
        UserError: The folder does not hold a SyncNet.
    """
    try:
        return SyncNet.from_pretrained(folder).eval()
    except (ValueError, TypeError) as error:
        raise UserError(f"--syncnet {folder}: {error}") from error


def write_sync(
    videos: Sequence[Video],
    heard: np.ndarray | None,
    network: SyncNet,
    tracked: bool,
    out: Path,
    notes: list[str],
) -> list[str]:
    """Draw and write the distances; returns the names of the files.

    Args:
        videos: Videos, each heard with its own sound.
        heard: Sound for videos without sound.
        network: SyncNet.
        tracked: True if it sees the crop of the face that is visible longest, False if it sees the whole frames.
        out: Folder of the files.
        notes: List that gets the reason why a video has no curve, and a warning if the network has random weights.
    """
    if network.is_random:
        notes.append(f"{RANDOM_WEIGHTS} in the SyncNet: its curves are no result")
    scores: dict[str, LipSyncScore] = {}
    for video in videos:
        try:
            scores[video.name] = _score(video, heard, network, tracked)
        except ValueError as error:
            notes.append(f"{video.name}: no sync curve: {error}")
    if not scores:
        return []
    reach = len(next(iter(scores.values())).distances) // 2
    offsets = list(range(reach, -reach - 1, -1))
    shown = {video.name: video.label for video in videos}
    labels = {
        f"{shown[name]}: LSE-D {one.lse_d:.2f}, LSE-C {one.lse_c:.2f}, offset {one.offset}": one.distances
        for name, one in scores.items()
    }
    draw_sync(offsets, labels, out / FIGURE)
    rows = [
        {"system": name, "offset": offset, "distance": distance}
        for name, one in scores.items()
        for offset, distance in zip(offsets, one.distances, strict=True)
    ]
    write_table(rows, out / TABLE)
    return [FIGURE, TABLE]


def _score(video: Video, heard: np.ndarray | None, network: SyncNet, tracked: bool) -> LipSyncScore:
    own = VideoFile(video.path).waveform()
    waveform = heard if own is None else own
    if waveform is None:
        raise ValueError("no sound")
    faces = FaceScores(network, TrackSettings(size=network.size) if tracked else None, waveform, still=False)
    with VideoStream(video.path) as frames:
        faces.add(frames)
    return faces.finish()[0]
