"""Separate gains for blinks, head and lips, applied to the motion of a speech."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from s2tf.models.motion_reader import FaceState, MotionReader
from s2tf.nn.lips import eye_opening, mouth_opening

NEWTON_STEPS = 3
DAMPING = 1e-3
"""Damping of the least squares, as a share of a reading's own variation under the motion."""
FLOOR, TINY = 1e-9, 1e-30
"""Constant that is added to the equations, so that they can be solved if a reading does not depend on the codes."""
MOUTH, EYES = -2, -1
"""Indices in `readings`; the placement stands before them."""


@dataclass(frozen=True)
class Gains:
    """Factors on the motion: 1 leaves it unchanged, 0 removes it, 2 doubles it; the factors are independent."""

    blink: float = 1.0
    """Factor on the motion of the eyelids away from their usual opening: 0 never blinks."""
    head: float = 1.0
    """Factor on the motion of the head away from its place in the portrait: 0 keeps it still."""
    lips: float = 1.0
    """Factor on the motion of the mouth away from its most closed frame: 0 keeps it closed."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: A gain is negative or not finite.
        """
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} gain is {value}, expected 0 or more")

    @property
    def changes(self) -> bool:
        """True if a gain differs from 1."""
        return self != Gains()


def scaled_lips(lips: Tensor, gain: float) -> Tensor:
    """Lips (T, 20, 2) with their movement away from the most closed frame multiplied."""
    rest = lips[mouth_opening(lips).argmin()]
    return rest + gain * (lips - rest)


def scaled_codes(
    codes: Tensor, z_id: Tensor, source: FaceState, reader: MotionReader, covariance: Tensor, gains: Gains
) -> Tensor:
    """Motion codes with `gains` applied to the blinks, the head's motion and the opening of the mouth.

    The motion reader reads three things from a code: the placement s_h (4 values), the opening of the mouth s_l and the
    opening of the eyes s_b. The wanted readings s' follow from the gains, and the codes move towards them by
    Gauss-Newton steps of the least change,

        z <- z + C Jᵀ (J C Jᵀ + λ)⁻¹ (s' - s(z)),    J = ds/dz,

    least in the metric of C, the covariance of the codes of real motion, so that motions that usually occur together (a
    head's turn and its place) do so here too. Readings with gain 1 do not change.

    Args:
        codes: Motion codes (T, m).
        z_id: Identity code (1, latent_dim).
        source: The portrait's own reading; the head moves away from its placement.
        reader: The motion reader of the autoencoder.
        covariance: (m, m) C, see `MotionStatistics`.
        gains: The factors.

    Returns:
        Motion codes (T, m).
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
        # Relative to each reading's own size, since readings have different units.
        sizes = system.diagonal(dim1=-2, dim2=-1)
        # The added constants keep a reading unchanged if no code moves it.
        damped = system + torch.diag_embed(DAMPING * sizes + FLOOR * sizes.amax(-1, keepdim=True) + TINY)
        codes = codes + (spread @ torch.linalg.solve(damped, error[..., None]))[..., 0]
    return codes


def _wanted(shown: Tensor, placement: Tensor, gains: Gains) -> Tensor:
    """Readings (T, 6) multiplied away from their values at rest."""
    mouth, eyes = shown[:, MOUTH], shown[:, EYES]
    rest = torch.cat([placement, mouth.min()[None], eyes.median()[None]])
    factor = shown.new_tensor([gains.head] * len(placement) + [gains.lips, gains.blink])
    wanted = rest + factor * (shown - rest)
    # An eye cannot be more than closed; readings below zero are errors of the reader and stay unchanged.
    return torch.cat([wanted[:, :EYES], torch.maximum(wanted[:, EYES], eyes.clamp_max(0))[:, None]], dim=1)
