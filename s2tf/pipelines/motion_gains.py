"""Separate gains for blinks, head and lips: how much of each of a speech's motion is shown."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from s2tf.models.motion_reader import FaceState, MotionReader
from s2tf.nn.lips import eye_opening, mouth_opening

NEWTON_STEPS = 3
DAMPING = 1e-3
"""Of the least squares, as a share of what the codes' own variation does to a reading."""
FLOOR, TINY = 1e-9, 1e-30
"""Added to it, so that the system can be solved where a reading does not depend on the codes."""
MOUTH, EYES = -2, -1
"""Places in `readings`; before them is the placement."""


@dataclass(frozen=True)
class Gains:
    """Factors on the motion, each apart from the others; 1 leaves it as it is, 0 takes it away, 2 doubles it."""

    blink: float = 1.0
    """Of the eyes, away from how far they are open most of the time: 0 never blinks."""
    head: float = 1.0
    """Of the head, away from where the portrait holds it: 0 keeps it still."""
    lips: float = 1.0
    """Of the mouth, away from the frame in which it is most closed: 0 keeps it so."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: a gain is negative or not finite.
        """
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} gain is {value}, expected 0 or more")

    @property
    def changes(self) -> bool:
        """Whether any of them does something."""
        return self != Gains()


def scaled_lips(lips: Tensor, gain: float) -> Tensor:
    """Lips (T, 20, 2) whose movement away from the most closed frame is multiplied."""
    rest = lips[mouth_opening(lips).argmin()]
    return rest + gain * (lips - rest)


def scaled_codes(
    codes: Tensor, z_id: Tensor, source: FaceState, reader: MotionReader, covariance: Tensor, gains: Gains
) -> Tensor:
    """Motion codes that show `gains` of the blinks, of the head's motion and of the mouth's opening.

    What a code shows is what the motion reader reads off it: the placement s_h (4 values), the opening of the mouth s_l
    and of the eyes s_b. The wanted readings s' follow from the gains, and the codes move towards them by Gauss-Newton
    steps of the least change,

        z <- z + C Jᵀ (J C Jᵀ + λ)⁻¹ (s' - s(z)),    J = ds/dz,

    least in the metric of C, the covariance of the codes of real motion: what commonly moves along with a reading, as
    the turn of a head with its place, moves along; readings whose gain is 1 are wanted as they are and stay.

    Args:
        codes: (T, m).
        z_id: (1, latent_dim) identity code.
        source: the portrait's own reading, whose placement the head's gain refers to.
        reader: of the motion autoencoder.
        covariance: (m, m) C, see `MotionStatistics`.
        gains: the factors.

    Returns:
        (T, m).
    """

    def readings(z_m: Tensor) -> Tensor:
        face = reader(z_id, z_m[None])
        return torch.cat([face.placement[0], mouth_opening(face.lips), eye_opening(face.eyes)])

    wanted = _wanted(vmap(readings)(codes), source.placement[0], gains)
    for _ in range(NEWTON_STEPS):
        error = wanted - vmap(readings)(codes)
        jacobian = vmap(jacrev(readings))(codes)
        spread = covariance @ jacobian.mT
        system = jacobian @ spread
        # Relative to each reading's own size: a radian and an outer-eye distance have nothing in common.
        sizes = system.diagonal(dim1=-2, dim2=-1)
        # A reading that no code moves is left as it is.
        damped = system + torch.diag_embed(DAMPING * sizes + FLOOR * sizes.amax(-1, keepdim=True) + TINY)
        codes = codes + (spread @ torch.linalg.solve(damped, error[..., None]))[..., 0]
    return codes


def _wanted(shown: Tensor, placement: Tensor, gains: Gains) -> Tensor:
    """Readings (T, 6) multiplied away from where each rests."""
    mouth, eyes = shown[:, MOUTH], shown[:, EYES]
    rest = torch.cat([placement, mouth.min()[None], eyes.median()[None]])
    factor = shown.new_tensor([gains.head] * len(placement) + [gains.lips, gains.blink])
    wanted = rest + factor * (shown - rest)
    # An eye is at most closed, but for what the reader is wrong by.
    return torch.cat([wanted[:, :EYES], torch.maximum(wanted[:, EYES], eyes.clamp_max(0))[:, None]], dim=1)
