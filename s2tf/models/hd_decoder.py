"""Decoder HD_f: the refined latents to a picture, at the input's size or through a codebook at twice the size."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer
from s2tf.nn.blur import FirUpsample
from s2tf.nn.equalised import EqualisedBlock, EqualisedConv2d, colours_out, octave_channels, octaves
from s2tf.nn.export import register_for_export
from s2tf.nn.network import Network
from s2tf.nn.quantiser import Quantised, VectorQuantiser


class RGBDecoder(Network):
    """LIA's decoder: a plain 1x1 convolution to colours at each scale, summed with the coarser sum doubled by FIR.

    It starts as the inverse of the image encoder's first layer, so that training starts from the warped source.

    Args:
        size: side of the picture in pixels.
        channel_base: width times side of the latents, the image encoder's.
        channel_max: greatest width of the latents, the image encoder's.
        activated: True for a biased leaky ReLU after each convolution, which LIA's weights need; it weakens negative
            colours, and its bias starts at random values.
    """

    def __init__(
        self, size: int = 256, channel_base: int = 16384, channel_max: int = 512, activated: bool = False
    ) -> None:
        super().__init__()
        self.size = size
        self.upsample = FirUpsample()
        widths = [octave_channels(side, channel_base, channel_max) for side in octaves(8, size, "size")]
        if activated:
            self.to_rgb = nn.ModuleList(_ActivatedColours(width) for width in widths)
            return
        convolutions = [EqualisedConv2d(width, 3, 1) for width in widths]
        self.to_rgb = nn.ModuleList(convolutions)
        for coarser in convolutions[:-1]:
            nn.init.zeros_(coarser.weight)
        colours_out(convolutions[-1])

    def forward(self, pyramid: tuple[Tensor, ...]) -> Tensor:
        """Latents from coarse to fine, (B, C, side, side) -> (B, 3, size, size), near [-1, 1] but not clamped."""
        image: Tensor | None = None
        for to_rgb, latents in zip(self.to_rgb, pyramid, strict=True):
            colours = to_rgb(latents)
            image = colours if image is None else colours + self.upsample(image)
        assert image is not None
        return image


class _ActivatedColours(nn.Module):
    """LIA's layer to colours: 1x1 convolution, biased leaky ReLU, and another bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = EqualisedBlock(channels, 3, 1)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, 3, S, S)."""
        return self.layer(x) + self.bias.view(1, 3, 1, 1)


ADAPTER = ".adapter."
"""Part of the names of layers that change our latents to the widths of CodeFormer's features."""


@register_for_export
@dataclass(frozen=True)
class Decoded:
    """The codebook decoder's picture and its codes."""

    image: Tensor
    """(B, 3, output_size, output_size)"""
    code: Quantised


class CodebookDecoder(Network):
    """The decoder HD_f with the codebook: latents at `latent_side` are quantised (Eq. 18), and a picture is generated.

    Finer latents are fused into the generator's levels under the control of `fidelity`.

    Args:
        size: side of the finest latents in pixels.
        output_size: side of the picture in pixels.
        latent_side: side of the latents that are quantised; 16 for 256 pixels in and 512 out.
        codes: number of items of the codebook.
        code_dim: length of an item.
        widths: the generator's width at each side from coarse to fine; the default is CodeFormer's.
        res_blocks: residual blocks per level.
        channel_base: width times side of the latents, the image encoder's.
        channel_max: greatest width of the latents, the image encoder's.
        image_skip: True to add the generator's picture to the doubled picture of the RGB decoder, not to replace it.
        normalise_fusion: keep the fusion's growth linear (`s2tf.nn.vq_blocks.Fusion`); not with CodeFormer's weights.
        weights: folder of CodeFormer (`s2tf import codeformer`), whose codebook, generator and fusion this starts from,
            or `random`. A network that was saved records `saved`. The convolutions that change the latents to the
            widths of the codes and of the fusion are new.

    Raises:
        FileNotFoundError: `weights` is not the folder of a network.
        ValueError: sizes or weights do not fit each other.
    """

    def __init__(
        self,
        size: int = 256,
        output_size: int = 512,
        latent_side: int = 16,
        codes: int = 1024,
        code_dim: int = 256,
        widths: tuple[int, ...] = (512, 256, 256, 128, 128, 64),
        res_blocks: int = 2,
        channel_base: int = 16384,
        channel_max: int = 512,
        image_skip: bool = False,
        normalise_fusion: bool = False,
        weights: str = "random",
    ) -> None:
        super().__init__()
        latents = {side: octave_channels(side, channel_base, channel_max) for side in octaves(8, size, "size")}
        if latent_side not in latents:
            raise ValueError(f"latent_side is {latent_side}, expected one of {list(latents)}")
        self.latent_side = latent_side
        self.output_size = output_size
        self.image_skip = image_skip
        self.to_code = nn.Conv2d(latents[latent_side], code_dim, 1)
        self.quantiser = VectorQuantiser(codes, code_dim)
        fused = tuple((side, width) for side, width in latents.items() if side > latent_side)
        self.generator = CodebookGenerator(
            latent_side, output_size, code_dim, widths, res_blocks, fused, normalise_fusion
        )
        if image_skip:
            nn.init.zeros_(self.generator.to_rgb.weight)
            nn.init.zeros_(self.generator.to_rgb.bias)  # type: ignore[arg-type]

        if weights not in ("random", "saved"):
            self._start_from(CodeFormer.from_pretrained(weights), weights)
            self.init_args["weights"] = "saved"

    def _start_from(self, codeformer: CodeFormer, folder: str) -> None:
        """Take over the codebook, the generator and the fusion."""
        for name, ours, theirs in (
            ("quantiser", self.quantiser, codeformer.quantiser),
            ("generator", self.generator, codeformer.generator),
        ):
            state, wanted = theirs.state_dict(), ours.state_dict()
            needed = {key: value.shape for key, value in wanted.items() if ADAPTER not in key}
            given = {key: value.shape for key, value in state.items()}
            wrong = [key for key in {**needed, **given} if needed.get(key) != given.get(key)]
            if wrong:
                key = wrong[0]
                raise ValueError(
                    f"CodebookDecoder.weights: {folder} does not fit: {name}.{key} is {given.get(key, 'missing')}, "
                    f"expected {needed.get(key, 'none')}; {len(wrong)} differ"
                )
            ours.load_state_dict({**wanted, **state})

    def forward(self, pyramid: tuple[Tensor, ...], coarse: Tensor, fidelity: float = 1.0) -> Decoded:
        """Decode the refined latents, coarse to fine, and the RGB decoder's picture (B, 3, size, size).

        `fidelity` is w of `s2tf.nn.vq_blocks.Fusion`: 1 uses the finer latents fully, 0 the codebook alone.
        """
        latents = {z.shape[-1]: z for z in pyramid}
        code = self.quantiser(self.to_code(latents[self.latent_side]))
        image = self.generator(code.output, latents, fidelity)
        if self.image_skip:
            image = image + F.interpolate(
                coarse, size=(self.output_size, self.output_size), mode="bilinear", align_corners=False
            )
        return Decoded(image, code)
