"""Features of faces by a named network, for the comparison of portraits (feature similarity, retrieval)."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.media.pictures import to_tensor
from s2tf.models.face_encoder import FaceEncoder
from s2tf.nn.network import Network, holds_random_part
from s2tf.nn.published_weights import RANDOM_WEIGHTS

VGGFACE_SIZE = 224
"""Side in pixels of the pictures that VGGFace was trained on."""


class FaceFeatures(Protocol):
    """A network that turns pictures of faces into features."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The network and its weights, which are part of every number's protocol."""

    def embed(self, pictures: np.ndarray) -> Tensor:
        """Features (N, D) on the CPU of pictures (N, H, W, 3) uint8 RGB."""


class NetworkFeatures:
    """Features of an s2tf face encoder, such as VGGFace.

    Args:
        network: Turns pictures (B, 3, S, S) in [-1, 1] into features (B, D).
        name: The network's name.
        size: Side in pixels that pictures are scaled to.
        device: Device to compute on.
        allow_random: Allows a network with parts that were never trained, for trials without the file of weights.

    Raises:
        ValueError: The network, or a part of it, was never trained, and that is not allowed.
    """

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

    @classmethod
    def vggface(cls, weights: str, device: str = "cpu", *, allow_random: bool = False) -> "NetworkFeatures":
        """Opens VGGFace's fc7 before its ReLU, with the public weights `vgg_face_dag.pth`.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file holds other weights, or `weights` is `random` and that is not allowed.
        """
        return cls(FaceEncoder(weights=weights), "VGGFace fc7", VGGFACE_SIZE, device, allow_random=allow_random)

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
