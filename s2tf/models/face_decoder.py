"""The face decoder D_f: a convolutional network that mirrors the face encoder (section III-A.3 of the paper)."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.models.face_encoder import SPATIAL_CHANNELS, VGG_CHANNELS, VGG_DEPTHS, Form, block_halvings, vgg_blocks
from s2tf.nn.convolution import Norm, initialise_relu_network, make_norm
from s2tf.nn.network import Network


class FaceDecoder(Network):
    """Decodes a face embedding z into a portrait.

    It has VGG16's blocks in reverse, and doubles the side by nearest neighbour where the encoder halves it. The `fc7`
    form starts from a map of S/32 computed by one linear layer (8 × 8 at 256 px), the `spatial` form from the latent
    (4, S/8, S/8). The output layer is linear: colours near the ends of the range would saturate a tanh. Values may
    leave [-1, 1]; clamp them where they become a picture. `shortcut` is the counterpart of the face encoder's.
    """

    def __init__(
        self,
        dim: int = 4096,
        width: float = 1.0,
        image_size: int = 256,
        form: Form = "fc7",
        norm: Norm = "none",
        depths: Sequence[int] = VGG_DEPTHS,
        halvings: int = len(VGG_CHANNELS),
        shortcut: int = 0,
    ) -> None:
        """Build the decoder.

        Args:
            dim: size d of the embedding.
            width: factor on VGG16's channels.
            image_size: side S of the portraits in pixels, a multiple of 2 to the number of halvings.
            form: form of the embedding, as in the face encoder.
            norm: normalisation after each convolution; VGG has `none`.
            depths: convolutions in each of VGG16's five blocks, in the encoder's order.
            halvings: number of the encoder's halvings, which this network undoes; the spatial form has three.
            shortcut: side of the picture that a linear map of z adds, enlarged, to the portrait; 0 for none.

        Raises:
            ValueError: `image_size` is not such a multiple, or `dim` does not fit the spatial form.
        """
        super().__init__()
        self.form = form
        channels = vgg_blocks(form, width, depths)[::-1]
        doublings = block_halvings(form, halvings)
        if image_size % 2**doublings:
            raise ValueError(f"image_size is {image_size}, expected a multiple of {2**doublings} for form {form!r}")
        self.seed_size = image_size // 2**doublings
        self.seed_channels = channels[0][0]
        if form == "fc7":
            self.to_seed: nn.Module = nn.Linear(dim, self.seed_channels * self.seed_size**2)
        elif dim == SPATIAL_CHANNELS * self.seed_size**2:
            self.to_seed = nn.Conv2d(SPATIAL_CHANNELS, self.seed_channels, 3, padding=1)
        else:
            raise ValueError(f"dim is {dim}, expected {SPATIAL_CHANNELS * self.seed_size**2} for form {form!r}")
        self.stages = _stages(channels, norm, doublings)
        self.to_picture = nn.Conv2d(channels[-1][0], 3, 3, padding=1)
        initialise_relu_network(self)
        self.shortcut = Shortcut(dim, shortcut, image_size) if shortcut else None
        if self.shortcut is not None:
            # The convolutions correct the linear picture: at first by nothing.
            nn.init.zeros_(self.to_picture.weight)

    def forward(self, z: Tensor) -> Tensor:
        """Decode embeddings.

        Args:
            z: shape (B, dim), unscaled, as the face encoder gives it.

        Returns:
            Portraits, shape (B, 3, S, S), RGB in about [-1, 1].
        """
        picture = self._convolved(z)
        return picture if self.shortcut is None else picture + self.shortcut(z)

    def _convolved(self, z: Tensor) -> Tensor:
        if self.form == "spatial":
            z = z.reshape(len(z), SPATIAL_CHANNELS, self.seed_size, self.seed_size)
        seed = self.to_seed(z).reshape(len(z), self.seed_channels, self.seed_size, self.seed_size)
        # Convolutions of few channels run nearly twice as fast on a CPU in this layout.
        seed = torch.relu(seed).contiguous(memory_format=torch.channels_last)
        return self.to_picture(self.stages(seed)).contiguous()


class Shortcut(nn.Module):
    """A linear picture of an embedding, enlarged: (B, d) to (B, 3, S, S)."""

    def __init__(self, dim: int, side: int, image_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 3 * side * side)
        self.picture = nn.Sequential(
            nn.Unflatten(1, (3, side, side)),
            nn.Upsample(size=(image_size, image_size), mode="bilinear", align_corners=False),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Render embeddings."""
        return self.picture(self.linear(z))


def _stages(channels: list[tuple[int, int]], norm: Norm, doublings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    c_in = channels[0][0]
    for block, (c_out, count) in enumerate(channels):
        if block >= len(channels) - doublings:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        for _ in range(count):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), make_norm(norm, c_out), nn.ReLU(inplace=True)]
            c_in = c_out
    return nn.Sequential(*layers)
