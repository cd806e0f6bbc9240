"""Opens what videos are measured by: which networks, from which files, and what cannot be computed without them."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from s2tf.errors import UserError
from s2tf.evaluation.judge_training import cache_root
from s2tf.evaluation.open_readers import open_faces, open_motion, open_perceptual
from s2tf.evaluation.videos.fid_measure import FrechetMeasure
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.motion_measures import FaceMeasure, SteadinessMeasure
from s2tf.evaluation.videos.pixel_measures import IdentityMeasure, PerceptualMeasure, PixelMeasure, SharpnessMeasure
from s2tf.evaluation.videos.sync_measure import SyncMeasure
from s2tf.faces.features import NetworkFeatures
from s2tf.faces.tracks import TrackSettings
from s2tf.importers.syncnet import import_syncnet
from s2tf.metrics.frechet import InceptionFeatures
from s2tf.metrics.motion_difference import RaftFlow
from s2tf.metrics.perceptual_distance import LPIPS
from s2tf.models.syncnet import SyncNet

RANDOM = "random"
WEIGHTS_VARIABLE = "S2TF_WEIGHTS"
TORCHVISION = "https://github.com/pytorch/vision"


@dataclass(frozen=True)
class PublicFile:
    """A file of public weights that a measure needs."""

    file: str
    origin: str
    """What it is, in words."""
    published: str
    """The page that it is to be had from; nothing is downloaded by itself."""


FILES = {
    "sync": PublicFile(
        "syncnet_v2.model",
        "syncnet_python's SyncNet (or --syncnet with a network of your own)",
        "download_model.sh of https://github.com/joonson/syncnet_python",
    ),
    "lpips": PublicFile(
        "alexnet-owt-7be5be79.pth",
        "torchvision's ImageNet weights of AlexNet",
        f"the address in torchvision/models/alexnet.py of {TORCHVISION}",
    ),
    "fid": PublicFile(
        "weights-inception-2015-12-05-6726825d.pth",
        "torch-fidelity's Inception",
        "https://github.com/toshas/torch-fidelity/releases/tag/v0.2.0",
    ),
    "mad": PublicFile(
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "torchvision's weights of RAFT large",
        f"the address in torchvision/models/optical_flow/raft.py of {TORCHVISION}",
    ),
    "identity": PublicFile(
        "vgg_face_dag.pth",
        "VGGFace as converted by Albanie's pytorch-mcn",
        "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html",
    ),
}


class MissingFileError(Exception):
    """What a measure needs is not on this machine; the message says what, and where it is to be had."""


@dataclass(frozen=True)
class Choices:
    """What the command line says of the measures."""

    weights: Path
    allow_random: bool
    device: str
    console: "Console"
    args: argparse.Namespace

    def file(self, measure: str) -> str:
        """Path of the public file of a measure, or `random` where that is allowed.

        Raises:
            MissingFileError: It is absent.
        """
        public = FILES[measure]
        path = self.weights / public.file
        if path.is_file():
            return str(path)
        if self.allow_random:
            return RANDOM
        raise MissingFileError(
            f"no {public.file} in {self.weights}: {public.origin}, from {public.published}; put it there, or name its "
            "folder with --weights"
        )


def open_measures(args: argparse.Namespace, console: "Console") -> "tuple[list[VideoMeasure], dict[str, str]]":
    """What `--metrics` names, and what of it cannot be computed, with the reason.

    Raises:
        UserError: A name is unknown.
    """
    choices = Choices(_weights_folder(args.weights), args.allow_random, args.device, console, args)
    opened: list[VideoMeasure] = []
    not_computed: dict[str, str] = {}
    for name in _chosen(args.metrics):
        try:
            opened.append(MEASURES[name](choices))
        except MissingFileError as error:
            not_computed[name] = str(error)
    return opened, not_computed


def _weights_folder(given: Path | None) -> Path:
    if given is not None:
        if not given.is_dir():
            raise UserError(f"--weights {given}: no such folder")
        return given
    return Path(os.environ.get(WEIGHTS_VARIABLE, cache_root() / "weights"))


def _chosen(text: str) -> Sequence[str]:
    names = list(MEASURES) if text == "all" else list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in MEASURES]:
        raise UserError(f"--metrics {text}: {unknown[0]!r} is none of {', '.join(MEASURES)}")
    return names


def _pixels(choices: Choices) -> "VideoMeasure":
    return PixelMeasure(choices.device)


def _lpips(choices: Choices) -> "VideoMeasure":
    named = open_perceptual(choices.args.perceptual, choices.device, choices.console)
    if named is None:
        named = LPIPS(choices.file("lpips"), device=choices.device, allow_random=choices.allow_random)
    return PerceptualMeasure(named)


def _fid(choices: Choices) -> "VideoMeasure":
    return FrechetMeasure(InceptionFeatures(choices.file("fid"), choices.device, allow_random=choices.allow_random))


def _mad(choices: Choices) -> "VideoMeasure":
    return SteadinessMeasure(RaftFlow(choices.file("mad"), choices.device, allow_random=choices.allow_random))


def _identity(choices: Choices) -> "VideoMeasure":
    if choices.args.faces is not None:
        return IdentityMeasure(open_faces(choices.args.faces, choices.device, choices.console))
    with _same_random():
        network = NetworkFeatures.vggface(choices.file("identity"), choices.device, allow_random=choices.allow_random)
    return IdentityMeasure(network)


def _sharpness(choices: Choices) -> "VideoMeasure":
    return SharpnessMeasure(choices.device)


def _landmarks(choices: Choices) -> "VideoMeasure":
    name = "mediapipe" if choices.args.landmarks == "none" else choices.args.landmarks
    try:
        finder = open_motion(name, choices.console)
    except (UserError, FileNotFoundError) as error:
        raise MissingFileError(str(error)) from error
    assert finder is not None
    return FaceMeasure(finder)


@contextmanager
def _same_random() -> Iterator[None]:
    """Random networks are the same in every process that shares the clips."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _sync(choices: Choices) -> "VideoMeasure":
    if choices.args.syncnet is not None:
        network = SyncNet.from_pretrained(choices.args.syncnet)
        if network.is_random and not choices.allow_random:
            raise UserError(f"--syncnet {choices.args.syncnet}: its weights are random, expected a trained SyncNet")
    else:
        path = choices.file("sync")
        with _same_random():
            network = SyncNet() if path == RANDOM else import_syncnet(path).network
    settings = TrackSettings(size=network.size) if choices.args.protocol == "tracked" else None
    return SyncMeasure(network.eval().to(choices.device), settings)


MEASURES: "dict[str, Callable[[Choices], VideoMeasure]]" = {
    "sync": _sync,
    "lpips": _lpips,
    "pixels": _pixels,
    "fid": _fid,
    "mad": _mad,
    "landmarks": _landmarks,
    "identity": _identity,
    "sharpness": _sharpness,
}
"""By the names of `--metrics`, in the order of the table."""
