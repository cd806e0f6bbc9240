"""Adversarial losses (Eq. 17 of the paper) for a generator and a discriminator that share one backward pass."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def generator_loss(discriminator: nn.Module, fake: Tensor) -> Tensor:
    """The non-saturating loss E[-log D(fake)] = E[softplus(-logit)], with D a sigmoid of its logit; a scalar.

    The discriminator's parameters are detached here, so that this loss gives the discriminator no gradient.

    Example:
        >>> round(generator_loss(nn.Identity(), torch.tensor([0.0])).item(), 4)  # ln 2
        0.6931
    """
    detached = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    return F.softplus(-functional_call(discriminator, detached, (fake,))).mean()


def discriminator_loss(discriminator: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
    """The loss E[-log D(real)] + E[-log(1 - D(fake))], a scalar; the generator of `fake` gets no gradient.

    Example:
        >>> fake, real = torch.tensor([-9.0]), torch.tensor([9.0])
        >>> round(discriminator_loss(nn.Identity(), fake, real).item(), 4)
        0.0002
    """
    return F.softplus(discriminator(fake.detach())).mean() + F.softplus(-discriminator(real)).mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """The penalty R1: half the squared norm of the logit's gradient at real pictures, the mean over the batch.

    Example:
        >>> gradient_penalty(nn.Flatten(), torch.zeros(2, 1, 2, 2)).item()  # half of four ones
        2.0
    """
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
