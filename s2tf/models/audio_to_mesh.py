"""The module audio2lmk in AniPortrait's own form: speech to offsets of all points of the face mesh, including the lips.

The framework trains `LipLandmarks` by default; the public weights fit this network.
"""

from typing import Any, cast

import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.pretrained_speech import Wav2Vec2Features
from s2tf.models.speech_features import normalised
from s2tf.nn.lips import MESH_LIPS
from s2tf.nn.network import Network

MESH_POINTS = 468
"""Number of points of MediaPipe's face mesh without the irises."""


class AudioToMesh(Network):
    """The transformer wav2vec 2.0 on convolutional features resampled to the frames, and two linear layers.

    The offsets are added to the canonical mesh of a reference. Public weights were trained at 30 frames a second.

    Args:
        speech: wav2vec 2.0; here its transformer reads features resampled to the number of frames.
        hidden: width between the two linear layers, which have no activation between them.
        points: number of points of the mesh.
    """

    def __init__(self, speech: Wav2Vec2Features, hidden: int = 512, points: int = MESH_POINTS) -> None:
        super().__init__()
        self.speech = speech
        self.points = points
        self.from_speech = nn.Linear(speech.out_dim, hidden)
        self.to_offsets = nn.Linear(hidden, 3 * points)
        nn.init.zeros_(self.to_offsets.weight)
        nn.init.zeros_(self.to_offsets.bias)

    def forward(self, waveform: Tensor, frames: int) -> Tensor:
        """Offsets (B, T, points, 3) for `frames` frames of speech (B, S) at 16 kHz."""
        return self.offsets(normalised(waveform), frames)

    def offsets(self, waveform: Tensor, frames: int) -> Tensor:
        """Offsets for a waveform that already has zero mean and unit variance."""
        backbone = cast(Any, self.speech.backbone)
        features = F.interpolate(backbone.feature_extractor(waveform), size=frames, mode="linear", align_corners=True)
        hidden, _ = backbone.feature_projection(features.transpose(1, 2))
        hidden = backbone.encoder(hidden).last_hidden_state
        return self.to_offsets(self.from_speech(hidden)).unflatten(-1, (self.points, 3))


def lips_of_mesh(mesh: Tensor) -> Tensor:
    """The 20 lip points of iBUG (48 to 67) among mesh points or their offsets: (..., points, 3) to (..., 20, 3)."""
    return mesh[..., list(MESH_LIPS), :]
