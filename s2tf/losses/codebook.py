"""Code loss of a vector quantiser (Eq. 19 of the paper)."""

import torch.nn.functional as F
from torch import Tensor


def code_loss(z_wr: Tensor, z_q: Tensor, beta: float = 0.25) -> dict[str, Tensor]:
    """The loss L_code = ||sg(z_wr) - z_q||^2 + beta ||z_wr - sg(z_q)||^2, as means over all numbers.

    Args:
        z_wr: (B, d, h, w) the latents.
        z_q: (B, d, h, w) their nearest codes, with the gradient to the codebook.
        beta: weight of the commitment term, which moves the latents. (CodeFormer's code puts it on the other term.)

    Returns:
        The scalars `codebook` and `commitment`, whose sum is L_code.

    Example:
        >>> import torch
        >>> {name: term.item() for name, term in code_loss(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).items()}
        {'codebook': 1.0, 'commitment': 0.25}
    """
    return {
        "codebook": F.mse_loss(z_q, z_wr.detach()),
        "commitment": beta * F.mse_loss(z_wr, z_q.detach()),
    }
