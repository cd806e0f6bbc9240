"""Identity encoder phi_id and motion encoder phi_m (Eq. 11 of the paper): MLPs on the image encoder's latent vector."""

import itertools

import torch.nn as nn
from torch import Tensor

from s2tf.nn.equalised import BiasedLeakyReLU, EqualisedLinear
from s2tf.nn.network import Network


class IdentityEncoder(Network):
    """The identity encoder phi_id: the source picture's latent to an identity code z_id of the same length.

    Args:
        latent_dim: length of latent and code.
        layers: equalised linear layers with leaky ReLUs between them; 0 is the identity map, which is LIA.
    """

    def __init__(self, latent_dim: int = 512, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_mlp([latent_dim] * (layers + 1), linear=False))

    def forward(self, latent: Tensor) -> Tensor:
        """(B, latent_dim) -> z_id (B, latent_dim)."""
        return self.layers(latent)


class MotionEncoder(Network):
    """The motion encoder phi_m: the latent of a picture to its motion code z_m.

    Args:
        latent_dim: length of the latent.
        motion_dim: m, length of the motion code.
        layers: equalised linear layers.
        linear: no activation between the layers, as in LIA; else leaky ReLUs.
    """

    def __init__(self, latent_dim: int = 512, motion_dim: int = 20, layers: int = 5, linear: bool = True) -> None:
        super().__init__()
        self.motion_dim = motion_dim
        self.layers = nn.Sequential(*_mlp([latent_dim] * layers + [motion_dim], linear))

    def forward(self, latent: Tensor) -> Tensor:
        """(B, latent_dim) -> z_m (B, m)."""
        return self.layers(latent)


def _mlp(widths: list[int], linear: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index, (width_in, width_out) in enumerate(itertools.pairwise(widths)):
        if index > 0 and not linear:
            layers.append(BiasedLeakyReLU(width_in))
        layers.append(EqualisedLinear(width_in, width_out))
    return layers
