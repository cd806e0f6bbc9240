"""Mouth reader: from identity and motion codes to where the mouth is and what shape it has."""

from dataclasses import dataclass

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.exportable import exportable
from s2tf.nn.network import Network

LIP_POINTS = 20
PLACEMENT = 4


@exportable
@dataclass(frozen=True)
class MouthState:
    """The lips in their canonical frame and that frame's place in the picture."""

    lips: Tensor
    """(B, 20, 2) canonical lip landmarks."""
    placement: Tensor
    """(B, 4) centre x, centre y, log scale, roll, see `s2tf.nn.lips.place_lips`."""


class MouthReader(Network):
    """A small MLP from (z_id, z_m) to the mouth, so that a generated portrait needs no landmark detector.

    It stands beside the paper's networks: the paper does not say where its lip landmarks are drawn in a generated
    frame, and here they follow the head motion that the motion code predicts.

    Args:
        latent_dim: length of z_id.
        motion_dim: m, length of z_m.
        hidden: width of the two hidden layers.
    """

    def __init__(self, latent_dim: int = 512, motion_dim: int = 20, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim + motion_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, LIP_POINTS * 2 + PLACEMENT),
        )

    def forward(self, z_id: Tensor, z_m: Tensor) -> MouthState:
        """z_id (B, latent_dim) and z_m (B, m) -> the mouth in the frame of motion z_m."""
        values = self.layers(torch.cat([z_id, z_m], dim=-1)).float()
        lips = values[:, :-PLACEMENT].view(-1, LIP_POINTS, 2)
        return MouthState(lips, values[:, -PLACEMENT:])
