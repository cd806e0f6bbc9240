"""Motion warper G_w (Eq. 12 of the paper): flow and occlusion at each scale from StyleGAN2's style blocks."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.blur import FirUpsample
from s2tf.nn.equalised import octave_channels, octaves
from s2tf.nn.export import register_for_export
from s2tf.nn.modulation import ModulatedConv2d, StyledConv
from s2tf.nn.network import Network
from s2tf.nn.warping import Warp, WarpConvention

OPEN_OCCLUSION = 2.0
"""Initial logit of the occlusion map: almost nothing is occluded (0.88), so that training starts from the source."""


@register_for_export
@dataclass(frozen=True)
class Warped:
    """The warped pyramid z_w and the fields that warped it, from coarse to fine."""

    pyramid: tuple[Tensor, ...]
    """z_w = o * tau(...) at sides 8, 16, ..., size: (B, C_side, side, side)."""
    flows: tuple[Tensor, ...]
    """(B, 2, side, side) offsets x, y of the sampling positions; 2 is the picture's whole side."""
    occlusions: tuple[Tensor, ...]
    """(B, 1, side, side) in 0..1: 1 not occluded, 0 entirely occluded."""


class DirectionBank(nn.Module):
    """Orthonormal directions of motion: z_m (B, m) -> Q z_m (B, latent_dim), Q from the QR decomposition of a weight.

    Without gradients Q is kept until the weight changes: it is the same for all frames of a video.
    """

    def __init__(self, latent_dim: int, motion_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(latent_dim, motion_dim))
        self._cached: tuple[tuple[int, int, torch.device], Tensor] | None = None

    def forward(self, z_m: Tensor) -> Tensor:
        """The motion in the latent space."""
        with torch.autocast(z_m.device.type, enabled=False):
            return z_m.float() @ self.basis().T

    def basis(self) -> Tensor:
        """Q (latent_dim, m) with orthonormal columns."""
        # A compiled graph cannot keep a value between calls, and a weight of inference mode does not count its changes.
        training = torch.is_grad_enabled() and self.weight.requires_grad
        if torch.compiler.is_compiling() or training or self.weight.is_inference():
            return self._orthonormal()
        state = (self.weight._version, self.weight.data_ptr(), self.weight.device)
        if self._cached is None or self._cached[0] != state:
            # A basis of inference mode could not be used in a later training step.
            with torch.inference_mode(False), torch.no_grad():
                self._cached = (state, self._orthonormal())
        return self._cached[1]

    def _orthonormal(self) -> Tensor:
        # LIA's offset has an effect only for a zero weight; it stays, so that LIA's weights give LIA's basis.
        return torch.linalg.qr(self.weight.float() + 1e-8)[0]


class ToFlow(nn.Module):
    """Modulated 1x1 convolution to x offset, y offset and occlusion logit, added to the coarser ones doubled by FIR."""

    def __init__(self, channels: int, style_dim: int, occlusion_bias: float) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(channels, 3, 1, style_dim, demodulate=False)
        nn.init.zeros_(self.conv.weight)
        self.bias = nn.Parameter(torch.tensor([0.0, 0.0, occlusion_bias]))
        self.upsample = FirUpsample()

    def forward(self, x: Tensor, style: Tensor, coarser: Tensor | None) -> Tensor:
        """(B, C, S, S), style (B, d) and (B, 3, S/2, S/2) or None -> (B, 3, S, S)."""
        fields = self.conv(x, style) + self.bias.view(1, 3, 1, 1)
        return fields if coarser is None else fields + self.upsample(coarser)


class FlowGenerator(Network):
    """G_w: a learned constant and style blocks under the style z_id + Q z_m give flow and occlusion at each scale.

    Each octave warps the source's features by its flow and masks them by its occlusion map. The masked features replace
    the blocks' state where nothing is occluded, so that finer flows see the result of the coarser ones.

    Args:
        size: side of the finest features in pixels, the image encoder's `size`.
        latent_dim: length of z_id.
        motion_dim: m, length of z_m.
        channel_base: width times side, the image encoder's.
        channel_max: greatest width, the image encoder's.
        convention: sampling convention of the warp, see `s2tf.nn.warping.Warp`; "lia" for LIA's weights.
    """

    def __init__(
        self,
        size: int = 256,
        latent_dim: int = 512,
        motion_dim: int = 20,
        channel_base: int = 16384,
        channel_max: int = 512,
        convention: WarpConvention = "consistent",
    ) -> None:
        super().__init__()
        sides = octaves(8, size, "size")
        widths = [octave_channels(side, channel_base, channel_max) for side in (4, *sides)]
        self.size = size
        self.motion_dim = motion_dim
        self.directions = DirectionBank(latent_dim, motion_dim)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.first = StyledConv(widths[0], widths[0], latent_dim)
        pairs = list(itertools.pairwise(widths))
        self.ups = nn.ModuleList(StyledConv(before, after, latent_dim, up=True) for before, after in pairs)
        self.convs = nn.ModuleList(StyledConv(after, after, latent_dim) for _, after in pairs)
        self.to_flows = nn.ModuleList(
            ToFlow(after, latent_dim, OPEN_OCCLUSION if index == 0 else 0.0) for index, (_, after) in enumerate(pairs)
        )
        self.warps = nn.ModuleList(Warp(side, convention) for side in sides)

    def forward(self, z_id: Tensor, z_m: Tensor, pyramid: tuple[Tensor, ...]) -> Warped:
        """Warp the source's pyramid (coarse to fine) by the motion z_m (B, m) of identity z_id (B, latent_dim)."""
        style = z_id + self.directions(z_m)
        state = self.first(self.constant.expand(len(style), -1, -1, -1), style)
        fields: Tensor | None = None
        warped, flows, occlusions = [], [], []
        octave_layers = zip(self.ups, self.convs, self.to_flows, self.warps, pyramid, strict=True)
        for up, conv, to_flow, warp, features in octave_layers:
            state = conv(up(state, style), style)
            fields = to_flow(state, style, fields)
            flow, occlusion = torch.tanh(fields[:, :2]), torch.sigmoid(fields[:, 2:])
            z_w = warp(features, flow) * occlusion
            state = z_w + state * (1 - occlusion)
            warped.append(z_w)
            flows.append(flow)
            occlusions.append(occlusion)
        return Warped(tuple(warped), tuple(flows), tuple(occlusions))
