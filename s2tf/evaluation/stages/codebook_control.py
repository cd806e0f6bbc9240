"""Controls of a codebook: the same pictures with other codes and at other fidelities."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.crop import resize
from s2tf.media.pictures import to_uint8
from s2tf.metrics.code_use import CodeUse
from s2tf.metrics.image import FrameQuality
from s2tf.metrics.sharpness import gradient_energy
from s2tf.models.hd_decoder import ChangeCodes, CodebookDecoder
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures

FRAMES_OF_CLIP = 8
"""Greatest number of frames of a clip that are rendered with each control, spread over the clip."""
TRUE, SHUFFLED, MEAN, COPY = "true codes", "shuffled codes", "mean code", "source frame copied"
FIDELITIES = {"fidelity 0": 0.0, "fidelity 0.5": 0.5, "fidelity 1": 1.0}
WITHOUT_ENCODER, WITHOUT_GENERATOR = "encoder switched off", "generator switched off"
CONTROLS = (TRUE, SHUFFLED, MEAN, *FIDELITIES)
CONTROLS_OF_PATCHES = (*CONTROLS, WITHOUT_ENCODER, WITHOUT_GENERATOR)
"""Those of a decoder with `code_patches`, whose picture remains where the trained networks add nothing."""
SHUFFLE_SEED = 0
MARGIN = 3.0
"""Target of the PSNR that a picture loses with its codes at other places, in dB."""
LEAST_USE = 0.3
"""Target of the perplexity, as a share of the codes."""


@dataclass(frozen=True)
class ControlPictures:
    """Pictures of the same frames with true and replaced codes."""

    pictures: Mapping[str, Tensor]
    """(T, 3, R, R) uint8 by the names of `controls_of`."""
    indices: Tensor
    """(T, S, S) indices of the true codes."""


@torch.no_grad()
def control_pictures(
    autoencoder: MotionAutoencoder, source: SourceFeatures, motion: Tensor, size: int, lips: Tensor | None = None
) -> ControlPictures:
    """Render frames of one source under the motion codes (T, m) with every control, at `size` pixels.

    Lips of None are read from the codes.
    """
    codebook = autoencoder.codebook
    assert codebook is not None
    mean = codebook.quantiser.embedding.weight.mean(dim=0).view(1, -1, 1, 1)
    changes: dict[str, ChangeCodes] = {
        SHUFFLED: lambda code: shuffled(code.output),
        MEAN: lambda code: mean.expand_as(code.output),
    }
    parts = {WITHOUT_ENCODER: codebook.to_code, WITHOUT_GENERATOR: codebook.generator}
    pictures, indices = {}, torch.empty(0)
    for name in controls_of(codebook):
        fidelity, change = FIDELITIES.get(name), changes.get(name)
        with switched_off(parts.get(name)):
            decoded = autoencoder.decode(source, motion, lips, fidelity=fidelity, change_codes=change)
        frames = np.stack([resize(frame, size) for frame in to_uint8(decoded.image)])
        pictures[name] = torch.from_numpy(frames).permute(0, 3, 1, 2)
        if name == TRUE:
            assert decoded.code is not None
            indices = decoded.code.indices.cpu()
    return ControlPictures(pictures, indices)


def controls_of(codebook: CodebookDecoder) -> tuple[str, ...]:
    """Names of the controls that say something about this decoder."""
    return CONTROLS if codebook.patches is None else CONTROLS_OF_PATCHES


@contextmanager
def switched_off(part: nn.Module | None) -> Iterator[None]:
    """Let a network's output be zero for the time of the block; None changes nothing.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> with switched_off(layer):
        ...     layer(torch.ones(1)).item()
        0.0
    """
    if part is None:
        yield
        return
    hook = part.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    try:
        yield
    finally:
        hook.remove()


def shuffled(codes: Tensor) -> Tensor:
    """Put the codes (B, d, S, S) of each picture to other places, the same ones in every picture.

    Example:
        >>> codes = torch.arange(16.0).view(1, 1, 4, 4)
        >>> other = shuffled(codes)
        >>> bool((other != codes).any()), other.sum().item() == codes.sum().item()
        (True, True)
    """
    places = torch.randperm(codes.shape[2] * codes.shape[3], generator=torch.Generator().manual_seed(SHUFFLE_SEED))
    return codes.flatten(2)[..., places.to(codes.device)].view_as(codes)


def spread(frames: int) -> np.ndarray:
    """Indices of at most `FRAMES_OF_CLIP` frames, spread over a clip.

    Example:
        >>> spread(3).tolist(), spread(100).tolist()
        ([0, 1, 2], [0, 14, 28, 42, 57, 71, 85, 99])
    """
    return np.linspace(0, frames - 1, min(frames, FRAMES_OF_CLIP)).round().astype(int)


@dataclass
class CodebookScores:
    """Collects the controls of clips.

    Attributes:
        codes: Number of codes in the codebook.
        fidelity: The codebook's own fidelity, that of all controls but those named after theirs.
        controls: Names of the controls.
    """

    codes: int
    fidelity: float
    controls: tuple[str, ...] = CONTROLS
    quality: dict[str, FrameQuality] = field(init=False)
    sharpness: dict[str, list[Tensor]] = field(init=False)
    use: CodeUse = field(init=False)

    def __post_init__(self) -> None:
        """Begin to compare pictures and to count the codes."""
        self.quality = {name: FrameQuality() for name in (*self.controls, COPY)}
        self.sharpness = {name: [] for name in self.controls}
        self.use = CodeUse(self.codes)

    @classmethod
    def of(cls, autoencoder: MotionAutoencoder) -> "CodebookScores | None":
        """Begin the scores of an autoencoder; None if it has no codebook."""
        codebook = autoencoder.codebook
        if codebook is None:
            return None
        return cls(len(codebook.quantiser.usage), codebook.fidelity, controls_of(codebook))

    def update(self, controls: ControlPictures, reference: Tensor, source: Tensor) -> None:
        """Add frames of a clip: the controls, the reference frames (T, 3, R, R) and the source frame (1, 3, R, R)."""
        energy = gradient_energy(reference)
        for name, pictures in controls.pictures.items():
            self.quality[name].update(pictures, reference)
            self.sharpness[name].append(gradient_energy(pictures) / energy)
        self.quality[COPY].update(source.expand_as(reference), reference)
        self.use.update(controls.indices)

    def measurements(self, protocol: Mapping[str, object]) -> list[Measurement]:
        """Compute PSNR and sharpness with every control, the loss by shuffled codes, and the use of the codes."""
        psnr = {name: float(quality.compute()["psnr"]) for name, quality in self.quality.items()}
        record = {**protocol, "frames of a clip": f"at most {FRAMES_OF_CLIP}", "fidelity": self.fidelity}
        counts = {"frames": int(self.quality[TRUE].frames)}
        rows = []
        for name in self.controls:
            own = record | ({"fidelity": FIDELITIES[name]} if name in FIDELITIES else {})
            target, rule = (psnr[COPY], "copy") if name == TRUE else (None, "")
            rows += [
                Measurement(f"PSNR, {name}", psnr[name], own, psnr[COPY], COPY, 100.0, target, rule, counts=counts),
                Measurement(
                    f"sharpness, {name}",
                    float(torch.cat(self.sharpness[name]).mean()),
                    own,
                    truth=1.0,
                    higher_is_better=None,
                    counts=counts,
                ),
            ]
        lost, use = psnr[TRUE] - psnr[SHUFFLED], float(self.use.compute())
        rule = f"{LEAST_USE:.0%} of {self.codes} codes".replace("%", " %")
        return [
            *rows,
            Measurement("PSNR lost by shuffled codes", lost, record, 0.0, "codes of no use", None, MARGIN, "3 dB"),
            Measurement("perplexity of the codes", use, record, 1.0, "one code", None, LEAST_USE * self.codes, rule),
        ]
