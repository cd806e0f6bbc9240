"""Where in the picture the weighted face prior acts: β as a map over the face (Fig. 12)."""

from collections.abc import Callable

import torch
from torch import Tensor


def weight_maps(decode: Callable[[Tensor], Tensor], z_p: Tensor, beta: Tensor) -> Tensor:
    """How the decoded prior changes where a speaker's weighted prior is added to it.

    β has a value for each dimension of the latent, and fc7's dimensions have no place in the picture. So the map is
    the derivative of the decoded prior in the direction β ⊙ z_p, ‖∂/∂a D_f(z_p + a β ⊙ z_p)‖ over the colours at
    a = 0: large where the weights act. The paper shows such maps without saying how they were made.

    Args:
        decode: D_f, latents (B, d) to pictures (B, 3, H, W).
        z_p: The prior in the decoder's units, shape (d,).
        beta: Weights of B speakers, shape (B, d).

    Returns:
        Maps (B, H, W), not negative, in the picture's units for a change of a by 1.
    """
    _, change = torch.autograd.functional.jvp(decode, z_p.expand_as(beta).contiguous(), beta * z_p)
    return change.norm(dim=1)
