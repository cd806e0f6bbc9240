"""Features of faces by a named network: what portraits are compared by (feature similarity, retrieval)."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.face_encoder import FaceEncoder
from s2tf.nn.network import Network
from s2tf.nn.published_weights import RANDOM_WEIGHTS

VGGFACE_SIZE = 224
"""Side of the pictures that VGGFace was trained on, pixels."""


class FaceFeatures(Protocol):
    """Pictures to features."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Which network it is: part of every number that it gives."""

    def embed(self, pictures: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB to (N, D) on the CPU."""


class NetworkFeatures:
    """Features of a face encoder of ours, VGGFace's among them.

    Args:
        network: Pictures (B, 3, S, S) in [-1, 1] to (B, D).
        name: Of the network.
        size: Side that pictures are brought to, pixels.
        device: Where to compute.
        allow_random: Whether the network's weights may be random, to run the path without the file.

    Raises:
        ValueError: The network's weights are random and may not be.
    """

    def __init__(
        self, network: Network, name: str, size: int, device: str = "cpu", *, allow_random: bool = False
    ) -> None:
        random = getattr(network, "is_random", False)
        if random and not allow_random:
            raise ValueError(f"the face network {name} has random weights: what it says of faces is no result")
        self.network = network.eval().to(device)
        self.size, self.device = size, device
        record = RANDOM_WEIGHTS if random else network.fingerprint()
        self._protocol = {"network": name, "weights": record, "size": size, "resize": "bilinear"}

    @classmethod
    def vggface(cls, weights: str, device: str = "cpu", *, allow_random: bool = False) -> "NetworkFeatures":
        """VGGFace's fc7 before its ReLU, of the public weights `vgg_face_dag.pth`.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It holds other weights, or they are `random` and may not be.
        """
        return cls(FaceEncoder(weights=weights), "VGGFace fc7", VGGFACE_SIZE, device, allow_random=allow_random)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The network's name, its weights' fingerprint and how pictures are brought to its size."""
        return self._protocol

    @torch.no_grad()
    def embed(self, pictures: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB to (N, D) on the CPU."""
        images = torch.from_numpy(pictures).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        if images.shape[-1] != self.size:
            size = (self.size, self.size)
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
        return self.network(images).float().cpu()
