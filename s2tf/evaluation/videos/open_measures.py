"""Opens the measures of videos with their networks and files, and collects the reasons why some cannot be computed."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from s2tf.errors import UserError
from s2tf.evaluation.judge_training import cache_root
from s2tf.evaluation.open_readers import open_faces, open_motion, open_perceptual
from s2tf.evaluation.videos.fid_measure import FrechetMeasure
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.metric_files import FILES, METRICS
from s2tf.evaluation.videos.motion_measures import FaceMeasure, SteadinessMeasure
from s2tf.evaluation.videos.pixel_measures import IdentityMeasure, PerceptualMeasure, PixelMeasure, SharpnessMeasure
from s2tf.evaluation.videos.sync_measure import SyncMeasure
from s2tf.faces.features import NetworkFeatures, SeveralFeatures
from s2tf.faces.track_settings import TrackSettings
from s2tf.importers.syncnet import import_syncnet
from s2tf.metrics.frechet import InceptionFeatures
from s2tf.metrics.motion_difference import RaftFlow
from s2tf.metrics.perceptual_distance import LPIPS
from s2tf.models.syncnet import SyncNet

ALL = "all"
RANDOM = "random"
WEIGHTS_VARIABLE = "S2TF_WEIGHTS"


class MissingFileError(Exception):
    """Error for an absent file that a measure needs; the message says where it is available."""


@dataclass(frozen=True)
class MeasureChoices:
    """Choices of the metrics, and of the networks that compute them.

    Args:
        metrics: Names of `METRICS` separated by commas, or `all`.
        weights: Folder of the public weight files, or None for `S2TF_WEIGHTS`, else the folder `weights` in the cache.
        allow_random: True to use random weights where weight files are absent; such numbers are marked.
        device: Device of the networks.
        protocol: SyncNet's view: the crop around the tracked face, or the whole frame.
        syncnet: Folder of a SyncNet, or None for the public SyncNet.
        perceptual: Perceptual distance, see `open_perceptual`, or None for the public LPIPS.
        faces: Network that compares faces, or several, see `open_faces`; None for the public VGGFace.
        landmarks: Reader of landmarks, see `open_motion`.
    """

    metrics: str = ALL
    weights: Path | None = None
    allow_random: bool = False
    device: str = "cpu"
    protocol: Literal["tracked", "frame"] = "tracked"
    syncnet: Path | None = None
    perceptual: str | None = None
    faces: str | Sequence[str] | None = None
    landmarks: str = "mediapipe"

    @property
    def names(self) -> Sequence[str]:
        """Names of the chosen metrics.

        Raises:
            UserError: A name is unknown.
        """
        names = list(METRICS) if self.metrics == ALL else list(dict.fromkeys(self.metrics.split(",")))
        if unknown := [name for name in names if name not in METRICS]:
            raise UserError(
                f"metrics {self.metrics}: unknown metric {unknown[0]!r}, expected names of {', '.join(METRICS)}"
            )
        return names

    @property
    def weights_folder(self) -> Path:
        """Folder of the public files.

        Raises:
            UserError: The given folder does not exist.
        """
        if self.weights is not None and not self.weights.is_dir():
            raise UserError(f"weights {self.weights}: the folder does not exist")
        return self.weights or Path(os.environ.get(WEIGHTS_VARIABLE, cache_root() / "weights"))

    def public_file(self, metric: str) -> str:
        """Return the path of a metric's public file, or `random` if the file is absent and that is allowed.

        Raises:
            MissingFileError: The file is absent.
        """
        public, folder = FILES[metric], self.weights_folder
        path = folder / public.file
        if path.is_file():
            return str(path)
        if self.allow_random:
            return RANDOM
        raise MissingFileError(
            f"no {public.file} in {folder}: {public.content}, available at {public.available_at}; put it there, or "
            "name its folder as `weights`"
        )


@dataclass(frozen=True)
class OpenedMeasures:
    """Measures that are ready to measure."""

    measures: Sequence[VideoMeasure]
    not_computed: Mapping[str, str] = field(default_factory=dict)
    """Reason by metric, for metrics that were chosen but cannot be computed."""


def open_measures(choices: MeasureChoices, console: Console) -> OpenedMeasures:
    """Open the chosen measures.

    Args:
        choices: Choices of metrics and networks.
        console: Console that shows the training of judges, if there are none yet.

    Raises:
        UserError: A choice is wrong.
    """
    names, _ = choices.names, choices.weights_folder
    opened: list[VideoMeasure] = []
    not_computed: dict[str, str] = {}
    for name in names:
        try:
            found = MEASURES[name](choices, console)
            opened += [found] if isinstance(found, VideoMeasure) else found
        except MissingFileError as error:
            not_computed[name] = str(error)
    return OpenedMeasures(opened, not_computed)


def _sync(choices: MeasureChoices, console: Console) -> VideoMeasure:
    if choices.syncnet is not None:
        network = SyncNet.from_pretrained(choices.syncnet)
        if network.is_random and not choices.allow_random:
            raise UserError(f"syncnet {choices.syncnet}: its weights are random, expected a trained SyncNet")
    else:
        path = choices.public_file("sync")
        with _same_random():
            network = SyncNet() if path == RANDOM else import_syncnet(path).network
    settings = TrackSettings(size=network.size) if choices.protocol == "tracked" else None
    return SyncMeasure(network.eval().to(choices.device), settings)


def _lpips(choices: MeasureChoices, console: Console) -> VideoMeasure:
    distance = None if choices.perceptual is None else open_perceptual(choices.perceptual, choices.device, console)
    if distance is None:
        distance = LPIPS(choices.public_file("lpips"), device=choices.device, allow_random=choices.allow_random)
    return PerceptualMeasure(distance)


def _pixels(choices: MeasureChoices, console: Console) -> VideoMeasure:
    return PixelMeasure(choices.device)


def _fid(choices: MeasureChoices, console: Console) -> VideoMeasure:
    file = choices.public_file("fid")
    return FrechetMeasure(InceptionFeatures(file, choices.device, allow_random=choices.allow_random))


def _mad(choices: MeasureChoices, console: Console) -> VideoMeasure:
    file = choices.public_file("mad")
    return SteadinessMeasure(RaftFlow(file, choices.device, allow_random=choices.allow_random))


def _landmarks(choices: MeasureChoices, console: Console) -> VideoMeasure:
    try:
        finder = open_motion(choices.landmarks, console)
    except (UserError, FileNotFoundError) as error:
        raise MissingFileError(str(error)) from error
    if finder is None:
        raise UserError("landmarks none has no effect here: leave landmarks out of the metrics instead")
    return FaceMeasure(finder)


def _identity(choices: MeasureChoices, console: Console) -> VideoMeasure | Sequence[VideoMeasure]:
    if choices.faces is not None:
        faces = open_faces(choices.faces, choices.device, console)
        if not isinstance(faces, SeveralFeatures):
            return IdentityMeasure(faces)
        labels = ["", *list(faces.networks)[1:]]
        return [IdentityMeasure(one, label) for label, one in zip(labels, faces.networks.values(), strict=True)]
    file = choices.public_file("identity")
    with _same_random():
        network = NetworkFeatures.vggface(file, choices.device, allow_random=choices.allow_random)
    return IdentityMeasure(network)


def _sharpness(choices: MeasureChoices, console: Console) -> VideoMeasure:
    return SharpnessMeasure(choices.device)


@contextmanager
def _same_random() -> Iterator[None]:
    """Seed random networks, so that they are the same in every process that measures a part of the clips."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


MEASURES: dict[str, Callable[[MeasureChoices, Console], VideoMeasure | Sequence[VideoMeasure]]] = {
    "sync": _sync,
    "lpips": _lpips,
    "pixels": _pixels,
    "fid": _fid,
    "mad": _mad,
    "landmarks": _landmarks,
    "identity": _identity,
    "sharpness": _sharpness,
}
"""Opening function of each of `METRICS`; identity has a measure for each face network."""
