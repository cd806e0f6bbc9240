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
        """Place all codes among the latents before the first quantised step, and dead ones again and again later.

        Where the first step is quantised, new codes that none of its latents takes move; CodeFormer's count as used.
        """
        if step + 1 == self.quantise_from:
            quantiser.start_among(z)
        elif self.restart_every and self.is_quantised(step) and step % self.restart_every == 0:
            quantiser.restart_dead(z)


def latents_themselves(code: Quantised) -> Tensor:
    """Latents in the place of their codes."""
    return code.z


@dataclass(frozen=True)
class CodebookRates:
    """Learning rates of the codebook's decoder HD_f that are its own; None for the rate of what contains it."""

    decoder: float | None = None
    codes: float | None = None
    encoder: float | None = None

    def groups(self, network: MotionAutoencoder) -> list[tuple[list[Parameter], float]]:
        """Groups of parameters with rates of their own: codes, their encoder, and the rest of the decoder."""
        if network.codebook is None:
            return []
        codes = list(network.codebook.quantiser.embedding.parameters())
        encoder = list(network.codebook.to_code.parameters())
        taken = {id(one) for one in (*codes, *encoder)}
        others = [one for one in network.codebook.parameters() if id(one) not in taken]
        rates = ((codes, self.codes), (encoder, self.encoder), (others, None))
        own = ((parameters, self.decoder if rate is None else rate) for parameters, rate in rates)
        return [(parameters, rate) for parameters, rate in own if rate is not None]
