"""SyncNet (Chung and Zisserman 2016): embeddings of five frames of lips and of 0.2 s of speech, near if in sync."""

from typing import Literal, NamedTuple

import torch.nn as nn
from torch import Tensor

from s2tf.nn.batch_norm import BatchNorm
from s2tf.nn.network import Network

FRAMES = 5
"""Frames of a lip window, at 25 frames a second."""
MFCC_COLUMNS = 20
"""Columns of a speech window: 0.2 s at 100 columns a second."""
FULL_SIZE = 224
"""Side of the public network's pictures, pixels."""
EMBEDDING = 1024


class SyncNet(Network):
    """The branches for lips and speech, as in `syncnet_python`, whose weights `s2tf import syncnet` imports.

    Args:
        size: side of the lip pictures in pixels; the last convolution covers the remaining side.
        width: factor on all widths but the embedding's; 1 is the public network.
        embedding: length of an embedding.
        weights: `saved` if the network was trained or imported: its weights are stored with it.

    Raises:
        ValueError: `size` is too small for the convolutions.
    """

    def __init__(
        self,
        size: int = FULL_SIZE,
        width: float = 1.0,
        embedding: int = EMBEDDING,
        weights: Literal["random", "saved"] = "random",
    ) -> None:
        super().__init__()
        self.size, self.embedding = size, embedding
        side = _last_side(size)
        if side < 1:
            raise ValueError(f"size is {size}, expected at least 72 pixels: no pixel is left after the poolings")
        lip, audio = _scaled((96, 256, 256, 256, 256, 512), width), _scaled((64, 192, 384, 256, 256, 512), width)
        # Two branches: lips by convolutions over time and place, speech by convolutions over coefficients and time.
        self.lip_layers = nn.Sequential(
            *_block3d(3, lip[0], (FRAMES, 7, 7), stride=2, padding=0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block3d(lip[0], lip[1], (1, 5, 5), stride=2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_block3d(lip[1], lip[2], (1, 3, 3)),
            *_block3d(lip[2], lip[3], (1, 3, 3)),
            *_block3d(lip[3], lip[4], (1, 3, 3)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block3d(lip[4], lip[5], (1, side, side), padding=0),
        )
        self.audio_layers = nn.Sequential(
            *_block2d(1, audio[0]),
            *_block2d(audio[0], audio[1]),
            nn.MaxPool2d((3, 3), (1, 2)),
            *_block2d(audio[1], audio[2]),
            *_block2d(audio[2], audio[3]),
            *_block2d(audio[3], audio[4]),
            nn.MaxPool2d((3, 3), (2, 2)),
            *_block2d(audio[4], audio[5], (5, 4), padding=0),
        )
        self.lip_head, self.audio_head = _head(lip[5], embedding), _head(audio[5], embedding)

    @property
    def is_random(self) -> bool:
        """True if the weights are neither imported nor trained."""
        return self.init_args["weights"] == "random"

    def mark_trained(self) -> None:
        """Record that the weights are no longer those of the constructor; called where they are trained or imported."""
        self.init_args["weights"] = "saved"

    def lips(self, frames: Tensor) -> Tensor:
        """Windows (N, 3, 5, size, size) in BGR from 0 to 255, as the public network takes them -> (N, embedding)."""
        return self.lip_head(self.lip_layers(frames).flatten(1))

    def consecutive_lips(self, frames: Tensor) -> Tensor:
        """Every window of consecutive frames (T, 3, size, size) in BGR from 0 to 255 -> (T - 4, embedding)."""
        # Only the first convolution reaches over time, so that the windows share their frames.
        features = self.lip_layers(frames.transpose(0, 1)[None])
        return self.lip_head(features[0, :, :, 0, 0].T)

    def audio(self, mfcc: Tensor) -> Tensor:
        """Windows (N, 1, 13, 20) of cepstral coefficients -> (N, embedding)."""
        return self.audio_head(self.audio_layers(mfcc).flatten(1))

    def forward(self, frames: Tensor, mfcc: Tensor) -> "Embeddings":
        """The embeddings of both, as in `lips` and `audio`."""
        return Embeddings(self.lips(frames), self.audio(mfcc))


class Embeddings(NamedTuple):
    """Embeddings of lip windows and speech windows, (N, embedding) each."""

    lips: Tensor
    audio: Tensor


def _scaled(widths: tuple[int, ...], factor: float) -> list[int]:
    return [max(8, round(width * factor)) for width in widths]


def _last_side(size: int) -> int:
    """The side that the convolutions and poolings before the last convolution leave."""
    side = (size - 7) // 2 + 1
    side = (side - 3) // 2 + 1
    side = (side + 2 - 5) // 2 + 1
    side = (side + 2 - 3) // 2 + 1
    return (side - 3) // 2 + 1


def _block3d(
    inside: int, out: int, kernel: tuple[int, int, int], stride: int = 1, padding: int = 1
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(inside, out, kernel, (1, stride, stride), (0, padding, padding))
    return convolution, BatchNorm(out), nn.ReLU(inplace=True)


def _block2d(inside: int, out: int, kernel: tuple[int, int] = (3, 3), padding: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inside, out, kernel, padding=padding), BatchNorm(out), nn.ReLU(inplace=True)


def _head(width: int, embedding: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), BatchNorm(width), nn.ReLU(inplace=True), nn.Linear(width, embedding))
