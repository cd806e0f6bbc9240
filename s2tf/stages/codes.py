"""Course of a codebook's training: first without codes, then with codes in use, alone or beside finer latents."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.quantiser import Quantised, VectorQuantiser


@dataclass(frozen=True)
class CodeCourse:
    """The course, as a function of the optimizer step; see `MotionAutoencoderStage` for the meaning of its numbers."""

    restart_every: int = 0
    alone: float | None = None
    quantise_from: int = 0

    def __post_init__(self) -> None:
        """Refuse a share that is none.

        Raises:
            ValueError: `alone` is not from 0 to 1.
        """
        if self.alone is not None and not 0 <= self.alone <= 1:
            raise ValueError(f"codes_alone is {self.alone}, expected a share from 0 to 1")

    def fidelities(self, rows: int, device: torch.device) -> Tensor | None:
        """Choose the fidelity (B, 1, 1, 1) of each row; None for the codebook's own."""
        if self.alone is None:
            return None
        chosen, fidelity = (torch.rand(rows, 1, 1, 1, device=device) for _ in range(2))
        return torch.where(chosen < self.alone, torch.zeros_like(fidelity), fidelity)

    def is_quantised(self, step: int) -> bool:
        """True from the step on at which codes take the place of latents."""
        return step >= self.quantise_from

    def move_codes(self, quantiser: VectorQuantiser, z: Tensor, step: int) -> None:
        """Place all codes among the latents before the first quantised step, and dead ones again and again later."""
        if step + 1 == self.quantise_from:
            quantiser.start_among(z)
        elif self.restart_every and self.is_quantised(step) and step % self.restart_every == 0:
            quantiser.restart_dead(z)


def latents_themselves(code: Quantised) -> Tensor:
    """Latents in the place of their codes."""
    return code.z


def codebook_groups(
    network: MotionAutoencoder, rate: float | None, code_rate: float | None
) -> list[tuple[list[Parameter], float]]:
    """The parameters of the codebook's decoder that have learning rates of their own.

    Args:
        network: the autoencoder, with or without a codebook.
        rate: the decoder's rate, or None where it has none of its own.
        code_rate: the codes' rate, or None where they have none of their own.

    Returns:
        Groups of parameters with their rates: the codes, and the decoder's other parameters.
    """
    if network.codebook is None:
        return []
    codes = list(network.codebook.quantiser.embedding.parameters())
    others = [one for one in network.codebook.parameters() if all(one is not code for code in codes)]
    rates = ((codes, rate if code_rate is None else code_rate), (others, rate))
    return [(parameters, own) for parameters, own in rates if own is not None]
