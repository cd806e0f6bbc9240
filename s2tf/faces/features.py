"""Features of faces by a named network, for the comparison of portraits (feature similarity, retrieval)."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.media.pictures import to_tensor
from s2tf.models.face_encoder import ChannelOrder, FaceEncoder, FeaturePlace
from s2tf.nn.network import Network, holds_random_part
from s2tf.nn.published_weights import RANDOM_WEIGHTS

VGGFACE = "VGGFace fc7"
VGGFACE_SIZE = 224
"""Side in pixels of the pictures that VGGFace was trained on."""


class FaceFeatures(Protocol):
    """A network that turns pictures of faces into features."""

    @property
    def packages(self) -> Sequence[str]:
        """Packages that it uses besides OpenCV and torch, see `s2tf.evaluation.software`."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The network and its weights, which are part of every number's protocol."""

    def embed(self, pictures: np.ndarray) -> Tensor:
        """Features (N, D) on the CPU of pictures (N, H, W, 3) uint8 RGB."""


class NetworkFeatures:
    """Features of an s2tf face encoder, such as VGGFace.

    The protocol has a word for the order of the channels that the network sees and one for the place of its feature.
    Both are left out for another network than VGGFace that sees BGR and ends before the ReLU, as all did before these
    were arguments, so that its older numbers stay comparable.

    Args:
        network: Turns pictures (B, 3, S, S) in [-1, 1] into features (B, D).
        name: The network's name.
        size: Side in pixels that pictures are scaled to.
        device: Device to compute on.
        allow_random: Allows a network with parts that were never trained, for trials without the file of weights.

    Raises:
        ValueError: The network, or a part of it, was never trained, and that is not allowed.
    """

    packages = ()

    def __init__(
        self, network: Network, name: str, size: int, device: str = "cpu", *, allow_random: bool = False
    ) -> None:
        random = holds_random_part(network)
        if random and not allow_random:
            raise ValueError(f"the face network {name} has random weights: its features are not meaningful")
        self.network = network.eval().to(device)
        self.size, self.device = size, device
        record = RANDOM_WEIGHTS if random else network.fingerprint()
        self._protocol = {"network": name, "weights": record, "size": size, "resize": "bilinear"}
        if isinstance(network, FaceEncoder) and (
            name == VGGFACE or (network.channel_order, network.feature) != ("bgr", "before_relu")
        ):
            self._protocol |= {"channels": network.channel_order, "feature": network.feature}

    @classmethod
    def vggface(
        cls,
        weights: str,
        device: str = "cpu",
        *,
        channel_order: ChannelOrder = "rgb",
        feature: FeaturePlace = "after_relu",
        allow_random: bool = False,
    ) -> "NetworkFeatures":
        """Opens VGGFace's fc7 with the public weights, by default as the author of `vgg_face_dag.pth` evaluates them.

        That is RGB, and the input of the classifier, which is after fc7's ReLU (`lfw_eval.py` of pytorch-benchmarks).
        `s2tf check-faces` tells on pictures which order a file wants.

        Args:
            weights: Path of the file, or `random`.
            device: Device to compute on.
            channel_order: Order of the channels that the network sees.
            feature: Before or after the ReLU of fc7.
            allow_random: Allows `random`.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file holds other weights, or `weights` is `random` and that is not allowed.
        """
        network = FaceEncoder(weights=weights, channel_order=channel_order, feature=feature)
        return cls(network, VGGFACE, VGGFACE_SIZE, device, allow_random=allow_random)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The network's name, its weights' fingerprint, and the scaling of pictures."""
        return self._protocol

    @torch.no_grad()
    def embed(self, pictures: np.ndarray) -> Tensor:
        """Features (N, D) on the CPU of pictures (N, H, W, 3) uint8 RGB."""
        images = to_tensor(pictures, self.device)
        if images.shape[-1] != self.size:
            size = (self.size, self.size)
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
        return self.network(images).float().cpu()


class SeveralFeatures:
    """The features of several networks beside each other, which evaluations split into numbers of each.

    Args:
        networks: Label of each network in the names of its numbers -> the network; the first needs no label.

    Raises:
        ValueError: There is no network.
    """

    def __init__(self, networks: Mapping[str, FaceFeatures]) -> None:
        if not networks:
            raise ValueError("no face network is given, expected at least one")
        self.networks = dict(networks)

    @property
    def first(self) -> FaceFeatures:
        """The network whose numbers have no label."""
        return next(iter(self.networks.values()))

    @property
    def packages(self) -> Sequence[str]:
        """The packages of all networks."""
        return tuple(name for one in self.networks.values() for name in one.packages)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The protocol of the first network, with those of the others by their labels."""
        others = {label: dict(one.protocol) for label, one in list(self.networks.items())[1:]}
        return {**self.first.protocol, "further networks": others} if others else self.first.protocol

    def embed(self, pictures: np.ndarray) -> Tensor:
        """The features (N, D1 + D2 + ...) of all networks."""
        return torch.cat([one.embed(pictures) for one in self.networks.values()], dim=1)

    @functools.cached_property
    def widths(self) -> list[int]:
        """The numbers of features of each network."""
        grey = np.full((1, 64, 64, 3), 128, np.uint8)
        return [one.embed(grey).shape[1] for one in self.networks.values()]

    def split(self, features: Tensor) -> list[Tensor]:
        """The features (..., D) of each network, from those of all."""
        return list(features.split(self.widths, dim=-1))
