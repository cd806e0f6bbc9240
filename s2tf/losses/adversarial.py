"""Adversarial losses (Eq. 17 of the paper) for a generator and a discriminator that share one backward pass."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def generator_loss(discriminator: nn.Module, fake: Tensor) -> Tensor:
    """() the non-saturating loss E[-log D(fake)] = E[softplus(-logit)], with D a sigmoid of its logit.

    The discriminator's parameters are detached here, so that this loss gives it no gradient.
    """
    detached = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    return F.softplus(-functional_call(discriminator, detached, (fake,))).mean()


def discriminator_loss(discriminator: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
    """() E[-log D(real)] + E[-log(1 - D(fake))]; the generator, which made `fake`, gets no gradient."""
    return F.softplus(discriminator(fake.detach())).mean() + F.softplus(-discriminator(real)).mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """() R1: half the squared norm of the logit's gradient at real pictures, averaged over the batch."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
