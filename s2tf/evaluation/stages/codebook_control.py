"""Controls of a codebook: the same pictures with other codes and at other fidelities."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.crop import resize
from s2tf.media.pictures import to_uint8
from s2tf.metrics.code_use import CodeUse
from s2tf.metrics.image import FrameQuality
from s2tf.metrics.sharpness import gradient_energy
from s2tf.models.hd_decoder import ChangeCodes
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures

FRAMES_OF_CLIP = 8
"""Greatest number of frames of a clip that are rendered with each control, spread over the clip."""
TRUE, SHUFFLED, MEAN, COPY = "true codes", "shuffled codes", "mean code", "source frame copied"
FIDELITIES = {"fidelity 0": 0.0, "fidelity 0.5": 0.5, "fidelity 1": 1.0}
CONTROLS = (TRUE, SHUFFLED, MEAN, *FIDELITIES)
SHUFFLE_SEED = 0
MARGIN = 3.0
"""Target of the PSNR that a picture loses with its codes at other places, in dB."""
LEAST_USE = 0.3
"""Target of the perplexity, as a share of the codes."""


@dataclass(frozen=True)
class ControlPictures:
    """Pictures of the same frames with true and replaced codes."""

    pictures: Mapping[str, Tensor]
    """(T, 3, R, R) uint8 by the names of `CONTROLS`."""
    indices: Tensor
    """(T, S, S) indices of the true codes."""


@torch.no_grad()
def control_pictures(
    autoencoder: MotionAutoencoder, source: SourceFeatures, motion: Tensor, size: int, lips: Tensor | None = None
) -> ControlPictures:
    """Render frames of one source under the motion codes (T, m) with every control, at `size` pixels.

    Lips of None are read from the codes.
    """
    assert autoencoder.codebook is not None
    mean = autoencoder.codebook.quantiser.embedding.weight.mean(dim=0).view(1, -1, 1, 1)
    changes: dict[str, ChangeCodes] = {
        SHUFFLED: lambda code: shuffled(code.output),
        MEAN: lambda code: mean.expand_as(code.output),
    }
    pictures, indices = {}, torch.empty(0)
    for name in CONTROLS:
        fidelity, change = FIDELITIES.get(name), changes.get(name)
        decoded = autoencoder.decode(source, motion, lips, fidelity=fidelity, change_codes=change)
        frames = np.stack([resize(frame, size) for frame in to_uint8(decoded.image)])
        pictures[name] = torch.from_numpy(frames).permute(0, 3, 1, 2)
        if name == TRUE:
            assert decoded.code is not None
            indices = decoded.code.indices.cpu()
    return ControlPictures(pictures, indices)


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
        fidelity: The codebook's own fidelity, that of the first three controls.
    """

    codes: int
    fidelity: float
    quality: dict[str, FrameQuality] = field(
        default_factory=lambda: {name: FrameQuality() for name in (*CONTROLS, COPY)}
    )
    sharpness: dict[str, list[Tensor]] = field(default_factory=lambda: {name: [] for name in CONTROLS})
    use: CodeUse = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count the codes."""
        self.use = CodeUse(self.codes)

    @classmethod
    def of(cls, autoencoder: MotionAutoencoder) -> "CodebookScores | None":
        """Begin the scores of an autoencoder; None if it has no codebook."""
        codebook = autoencoder.codebook
        return None if codebook is None else cls(len(codebook.quantiser.usage), codebook.fidelity)

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
        for name in CONTROLS:
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
