"""Motion reader: identity and motion codes to the place of the face and the shapes of its lips and eyes."""

from dataclasses import dataclass

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.export import register_for_export
from s2tf.nn.network import Network

LIP_POINTS = 20
EYE_POINTS = 12
PLACEMENT = 4


@register_for_export
@dataclass(frozen=True)
class FaceState:
    """Lips and eyes in their canonical frame and that frame's place in the picture."""

    lips: Tensor
    """(B, 20, 2) canonical lip landmarks; in space (B, 20, 3)."""
    eyes: Tensor
    """(B, 12, 2) canonical eye landmarks; in space (B, 12, 3)."""
    placement: Tensor
    """(B, 4) centre x, centre y, log scale, roll; in space also yaw and pitch. See `s2tf.nn.lips.place_lips`."""


class MotionReader(Network):
    """A small MLP from (z_id, z_m) to lips, eyes and placement.

    It is not one of the paper's networks. The paper does not say where lip landmarks are placed in a generated frame:
    here they follow the head motion predicted from the motion code, so that a generated portrait needs no landmark
    detector. The reader also forces the motion code to contain lips and eyes: eyelids are only a few pixels, and
    autoencoders of this kind often miss blinks if only the picture is compared.

    Args:
        latent_dim: length of z_id.
        motion_dim: m, length of z_m.
        hidden: width of the two hidden layers.
        space: read lips and eyes in space, freed of the head's yaw and pitch, and these two with the placement; see
            `s2tf.faces.head`. The data must be of the same kind.
    """

    def __init__(self, latent_dim: int = 512, motion_dim: int = 20, hidden: int = 256, space: bool = False) -> None:
        super().__init__()
        self.space = space
        self.axes, self.placement = (3, PLACEMENT + 2) if space else (2, PLACEMENT)
        self.layers = nn.Sequential(
            nn.Linear(latent_dim + motion_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, self.axes * (LIP_POINTS + EYE_POINTS) + self.placement),
        )

    def forward(self, z_id: Tensor, z_m: Tensor) -> FaceState:
        """z_id (B, latent_dim) and z_m (B, m) -> the face in the frame of motion z_m."""
        values = self.layers(torch.cat([z_id, z_m], dim=-1)).float()
        axes = self.axes
        lips, eyes, placement = values.split([axes * LIP_POINTS, axes * EYE_POINTS, self.placement], dim=-1)
        return FaceState(lips.unflatten(-1, (LIP_POINTS, axes)), eyes.unflatten(-1, (EYE_POINTS, axes)), placement)
