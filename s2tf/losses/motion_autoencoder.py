"""The generator's loss terms of the motion autoencoder (Eq. 14-19), and their weights."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.losses.codebook import code_loss
from s2tf.losses.flow import face_points, point_flow_loss
from s2tf.losses.locality import outside_mouth_loss
from s2tf.losses.vgg import VGGPyramid
from s2tf.models.motion_autoencoder import Rendering
from s2tf.models.motion_reader import FaceState
from s2tf.nn.lips import eye_opening

HALF_CLOSED = 0.05
"""Change of an eye's opening, in outer-eye distances, that closes it halfway: there the square equals L1."""


@dataclass
class LossWeights:
    """Factors on the terms; the paper's Eq. 14 has 1 for all, LIA 10 for the VGG term."""

    l1: float = 1.0
    """Factor on L_re, Eq. 15."""
    vgg: float = 10.0
    """Factor on L_vgg, Eq. 16; not computed at 0."""
    adversarial: float = 1.0
    """Factor on L_adv, Eq. 17."""
    code: float = 1.0
    """Factor on L_code, Eq. 19."""
    coarse: float = 1.0
    """L1 of the RGB decoder's picture, if the codebook generates the final picture."""
    motion_reader: float = 1.0
    """L1 of the lips, eyes and placements read from the codes of both frames; not in the paper, see `MotionReader`."""
    flow: float = 0.0
    """Guidance of the flow by points of the face, for short trainings from scratch; not in the paper."""
    outside_mouth: float = 0.0
    """Change by the lip refiner away from the mouth, which the normalisation in the codebook's generator spreads over
    the picture; not in the paper. Above 0, some rows are also decoded without the refiner."""
    r1: float = 0.0
    """Gradient penalty of the discriminator; not computed at 0, as in LIA."""

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the named terms, a scalar."""
        factors = vars(self) | {
            "codebook": self.code,
            "commitment": self.code,
            # The discriminator's own loss has no factor: it shares no parameter with the other terms.
            "discriminator": 1.0,
        }
        return torch.stack([factors[name] * term for name, term in terms.items()]).sum()


@dataclass(frozen=True)
class ReferenceFrames:
    """The frames that a reconstruction is compared with."""

    coarse: Tensor
    """(B, 3, S, S) target pictures at the input size."""
    picture: Tensor
    """(B, 3, R, R) target pictures at the output size."""
    source: FaceState
    """Lips, eyes and placement of the source frames."""
    target: FaceState
    """Lips, eyes and placement of the target frames."""


def generator_terms(
    rendering: Rendering, reference: ReferenceFrames, beta: float, vgg: VGGPyramid | None = None
) -> dict[str, Tensor]:
    """The named terms that need no discriminator, scalars in a fixed order, which decides the last bits of their sum.

    Args:
        rendering: The reconstruction.
        reference: The frames that it is compared with.
        beta: Weight of the commitment term, Eq. 19.
        vgg: The perceptual loss, or None to leave its term out.
    """
    # The codes' lips, eyes and placements, of both frames.
    read = motion_reader_loss(rendering.face, reference.target) + motion_reader_loss(
        rendering.source_face, reference.source
    )
    terms = {"l1": F.l1_loss(rendering.image, reference.picture), "motion_reader": read}
    source, target = (face_points(one.lips, one.eyes, one.placement) for one in (reference.source, reference.target))
    terms["flow"] = point_flow_loss(rendering.flow, source, target)
    # The picture, and its change by the lip refiner if some rows were also decoded without it.
    if vgg is not None:
        terms["vgg"] = vgg(rendering.image, reference.picture)
    if rendering.unrefined is not None and rendering.mouth is not None:
        rows = len(rendering.unrefined)
        terms["outside_mouth"] = outside_mouth_loss(rendering.image[:rows], rendering.unrefined, rendering.mouth[:rows])
    # The codebook, and the picture before it.
    if rendering.code is not None:
        terms["coarse"] = F.l1_loss(rendering.coarse, reference.coarse)
        terms |= code_loss(rendering.code.z, rendering.code.z_q, beta)
    return terms


def motion_reader_loss(read: FaceState, reference: FaceState) -> Tensor:
    """L1 of lips, eyes and placement read from a code, and the squared error of the eyes' opening; a scalar.

    Example:
        >>> face = FaceState(torch.zeros(1, 20, 2), torch.zeros(1, 12, 2), torch.zeros(1, 4))
        >>> motion_reader_loss(face, face).item()
        0.0
    """
    pairs = ((read.lips, reference.lips), (read.eyes, reference.eyes), (read.placement, reference.placement))
    points = torch.stack([F.l1_loss(one, other) for one, other in pairs]).sum()
    # Blinks are rare: L1 alone would learn the median opening, which is that of open eyes; the square learns the mean.
    return points + F.mse_loss(eye_opening(read.eyes), eye_opening(reference.eyes)) / HALF_CLOSED
