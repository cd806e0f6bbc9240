"""Decoder HD_f: the refined latents to a picture, at the input's size or through a codebook at twice the size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.code_encoder import CodeEncoder
from s2tf.models.code_patches import CodePatches
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


PARTS_OF_CODEFORMER = ("quantiser", "generator")
NOT_CODEFORMERS = (".adapter.", "usage")
"""Parts of the names of layers that CodeFormer does not have: those that change our latents to its widths."""

ChangeCodes = Callable[[Quantised], Tensor]
"""Choice of the codes (B, code_dim, S, S) that a picture is generated from, such as shuffled ones for a control."""


@register_for_export
@dataclass(frozen=True)
class Decoded:
    """The codebook decoder's picture and its codes."""

    image: Tensor
    """(B, 3, output_size, output_size)"""
    code: Quantised


class CodebookDecoder(Network):
    """The decoder HD_f with the codebook: latents are encoded and quantised (Eq. 18), and a picture is generated.

    With `fidelity` 0 the codes are the only path of the picture's content, as in Eq. 18. The paper has no fusion, but
    the codes of a picture do not hold all of it; CodeFormer lets finer features of the picture modulate the generator,
    under a weight w. The paper's size departs from Eq. 18 as little as that allows: one level of the generator, the
    first finer than the codes, is fused (`fused_sides`), at w = 0.5 (`fidelity`). Training with
    `MotionAutoencoderStage.codes_alone` sees half of its pictures at w = 0, so that the codes must carry the picture.
    The defaults of the constructor are those of earlier runs: a 1x1 convolution to the codes, all levels fused, w = 1;
    there the generator learned to go without its codes.
    From scratch, without CodeFormer's weights, the codes' colours carry most of the picture (`code_patches`).

    Args:
        size: side of the finest latents in pixels.
        output_size: side of the picture in pixels.
        latent_side: side of the map of codes; 16 for 256 pixels in and 512 out.
        codes: number of items of the codebook.
        code_dim: length of an item.
        widths: the generator's width at each side from coarse to fine; the default is CodeFormer's.
        res_blocks: residual blocks per level.
        channel_base: width times side of the latents, the image encoder's.
        channel_max: greatest width of the latents, the image encoder's.
        image_skip: True to add the generator's picture to the doubled picture of the RGB decoder, not to replace it;
            the content then bypasses the codes.
        normalise_fusion: keep the fusion's growth linear (`s2tf.nn.vq_blocks.Fusion`); not with CodeFormer's weights.
        code_widths: widths of the encoder from the latents of all sides to the codes (`CodeEncoder`), or None for a 1x1
            convolution of the latents at `latent_side`.
        fused_sides: sides at which finer latents are fused into the generator: none is Eq. 18 as printed, None all.
        fidelity: the w in use where a caller gives none.
        code_patches: True to start from the codes' colours (`CodePatches`), in place of CodeFormer's weights; not
            together with `image_skip`.
        attention: attention over the codes' places, as in CodeFormer; it grows with the square of their number.
        weights: folder of CodeFormer (`s2tf import codeformer`), whose codebook, generator, fusion and, with
            `code_widths`, encoder this starts from, or `random`. A network that was saved records `saved`. The
            convolutions that change the latents to the widths of the codes and of the fusion are new.

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
        code_widths: tuple[int, ...] | None = None,
        fused_sides: tuple[int, ...] | None = None,
        fidelity: float = 1.0,
        code_patches: bool = False,
        attention: bool = True,
    ) -> None:
        super().__init__()
        latents = {side: octave_channels(side, channel_base, channel_max) for side in octaves(8, size, "size")}
        if latent_side not in latents:
            raise ValueError(f"latent_side is {latent_side}, expected one of {list(latents)}")
        if not 0 <= fidelity <= 1:
            raise ValueError(f"fidelity is {fidelity}, expected 0 (codes alone) to 1")
        self.latent_side = latent_side
        self.output_size = output_size
        self.image_skip = image_skip
        self.fidelity = fidelity

        # The way to the codes, from the finest latents or from those of the codes' own side.
        finer = {side: width for side, width in reversed(latents.items()) if side >= latent_side}
        self.to_code: CodeEncoder | nn.Conv2d
        if code_widths is None:
            self.to_code = nn.Conv2d(latents[latent_side], code_dim, 1)
        else:
            self.to_code = CodeEncoder(finer, code_dim, code_widths, res_blocks, attention)
        self.quantiser = VectorQuantiser(codes, code_dim)

        # The generator, with the fusion of latents that are finer than the codes.
        fused = {side: width for side, width in latents.items() if side > latent_side}
        if unknown := set(fused_sides or ()) - fused.keys():
            raise ValueError(f"fused_sides has {min(unknown)}, expected sides of {list(fused)}")
        self.fused_sides = tuple(fused) if fused_sides is None else tuple(fused_sides)
        pairs = tuple((side, fused[side]) for side in self.fused_sides)
        self.generator = CodebookGenerator(
            latent_side, output_size, code_dim, widths, res_blocks, pairs, normalise_fusion, attention
        )
        self.patches = None
        if code_patches and image_skip:
            raise ValueError("code_patches and image_skip are both true, expected one of them")
        if code_patches:
            self.patches = CodePatches(code_dim, size // latent_side)
        # What is added to another picture, or to other codes, starts at zero.
        if image_skip or code_patches:
            _start_at_zero(self.generator.to_rgb)
        if code_patches and isinstance(self.to_code, CodeEncoder):
            _start_at_zero(self.to_code.tail[-1])

        if weights not in ("random", "saved"):
            self._start_from(CodeFormer.from_pretrained(weights), weights)
            self.init_args["weights"] = "saved"

    def _start_from(self, codeformer: CodeFormer, folder: str) -> None:
        """Take over the codebook, the generator, its fusion, and the encoder if there is one here."""
        for name in PARTS_OF_CODEFORMER:
            ours, theirs = getattr(self, name), getattr(codeformer, name)
            state = {key: value for key, value in theirs.state_dict().items() if not self._is_left_out(key)}
            wanted = ours.state_dict()
            needed = {key: value.shape for key, value in wanted.items() if not _contains(key, NOT_CODEFORMERS)}
            given = {key: value.shape for key, value in state.items()}
            wrong = [key for key in {**needed, **given} if needed.get(key) != given.get(key)]
            if wrong:
                key = wrong[0]
                raise ValueError(
                    f"CodebookDecoder.weights: {folder} does not fit: {name}.{key} is {given.get(key, 'missing')}, "
                    f"expected {needed.get(key, 'none')}; {len(wrong)} differ"
                )
            ours.load_state_dict({**wanted, **state})
        # CodeFormer's codes count as used, so that no restart moves them before training has had its chance.
        nn.init.constant_(self.quantiser.usage, 1 / len(self.quantiser.usage))
        if isinstance(self.to_code, CodeEncoder):
            try:
                self.to_code.start_from(codeformer.encoder)
            except (RuntimeError, ValueError) as error:
                reason = str(error).strip().splitlines()[-1].strip()
                raise ValueError(f"CodebookDecoder.weights: {folder} does not fit code_widths: {reason}") from error

    def _is_left_out(self, key: str) -> bool:
        """True for the use of codes, and for CodeFormer's fusion at a side that is not fused here."""
        if ".fusion." not in key:
            return key == "usage"
        side = self.latent_side * 2 ** int(key.split(".")[1])
        return side not in self.fused_sides

    def _encode(self, latents: Mapping[int, Tensor], coarse: Tensor) -> Tensor:
        z = self.to_code(latents) if isinstance(self.to_code, CodeEncoder) else self.to_code(latents[self.latent_side])
        return z if self.patches is None else z + self.patches.to_code(coarse)

    def forward(
        self,
        pyramid: tuple[Tensor, ...],
        coarse: Tensor,
        fidelity: float | Tensor | None = None,
        change_codes: ChangeCodes | None = None,
    ) -> Decoded:
        """Decode the refined latents, coarse to fine, and the RGB decoder's picture (B, 3, size, size).

        Args:
            pyramid: the latents.
            coarse: the RGB decoder's picture, in use with `image_skip` or `code_patches` only.
            fidelity: w of `s2tf.nn.vq_blocks.Fusion`: 1 uses the finer latents fully, 0 the codebook alone; a number,
                or (B, 1, 1, 1) for one of each row; None for the network's own.
            change_codes: gives the codes that the picture is generated from, such as those of CodeFormer's predictor
                (`s2tf.models.predicted_codes`); None for the nearest ones.
        """
        fidelity = self.fidelity if fidelity is None else fidelity
        latents = {z.shape[-1]: z for z in pyramid}
        code = self.quantiser(self._encode(latents, coarse))
        codes = code.output if change_codes is None else change_codes(code)
        image = self.generator(codes, {side: latents[side] for side in self.fused_sides}, fidelity)
        if self.patches is not None:
            cells = self.patches.picture(codes)
            image = image + self._enlarged(cells + fidelity * (coarse - cells), "bicubic")
        if self.image_skip:
            image = image + self._enlarged(coarse, "bilinear")
        return Decoded(image, code)

    def _enlarged(self, picture: Tensor, mode: str) -> Tensor:
        return F.interpolate(picture, size=(self.output_size, self.output_size), mode=mode, align_corners=False)


def _start_at_zero(convolution: nn.Module) -> None:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)


def _contains(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)
