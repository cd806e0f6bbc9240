"""The statistical face prior z_p and the scale of the face latents, with a record of their origin."""

import torch
from torch import Tensor

from s2tf.nn.network import Network


class FacePrior(Network):
    """The mean face latent (Eq. 5), unscaled, and the factor that gives the diffused latents unit variance.

    The constructor's arguments are the provenance, so `config.json` of a saved prior records how it was computed.

    Attributes:
        z_p: mean latent in the face encoder's units, shape (d,).
        scale: standard deviation of all entries of all latents about their common mean, a scalar.
    """

    z_p: Tensor
    scale: Tensor

    def __init__(
        self,
        dim: int = 4096,
        n: int = 0,
        female: int = 0,
        male: int = 0,
        unknown: int = 0,
        balance: float | None = 0.5,
        balanced: bool = True,
        seed: int = 0,
    ) -> None:
        """Build an empty prior: z_p = 0, scale = 1.

        Args:
            dim: size d of the latent.
            n: number N of faces averaged.
            female: faces of women among them.
            male: faces of men among them.
            unknown: faces of unknown gender among them.
            balance: the requested share of women, or None for any faces.
            balanced: False if the share of women was not kept.
            seed: seed for the choice of faces.
        """
        super().__init__()
        self.register_buffer("z_p", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(()))

    @property
    def provenance(self) -> dict[str, int | float | bool | None]:
        """The record of the origin as JSON values: N, the counts by gender, the requested balance and the seed."""
        return dict(self.init_args)

    def scaled(self, z: Tensor) -> Tensor:
        """A latent of the face encoder in the units of the diffusion (unit variance); any shape."""
        return z / self.scale

    def unscaled(self, z: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return z * self.scale
