"""Adversarial losses (Eq. 17 of the paper) for a generator and a discriminator that share one backward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2tf.models.patch_discriminator import PatchDiscriminator


def generator_loss(discriminator: nn.Module, fake: Tensor) -> Tensor:
    """The non-saturating loss E[-log D(fake)] = E[softplus(-logit)], with D a sigmoid of its logit; a scalar.

    The discriminator's parameters are frozen here, so that this loss gives the discriminator no gradient.

    Example:
        >>> round(generator_loss(nn.Identity(), torch.tensor([0.0])).item(), 4)  # ln 2
        0.6931
    """
    with _frozen(discriminator):
        return F.softplus(-discriminator(fake)).mean()


def discriminator_loss(discriminator: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
    """The loss E[-log D(real)] + E[-log(1 - D(fake))], a scalar; the generator of `fake` gets no gradient.

    Example:
        >>> fake, real = torch.tensor([-9.0]), torch.tensor([9.0])
        >>> round(discriminator_loss(nn.Identity(), fake, real).item(), 4)
        0.0002
    """
    return F.softplus(discriminator(fake.detach())).mean() + F.softplus(-discriminator(real)).mean()


def patch_terms(
    discriminator: PatchDiscriminator, fake: Tensor, real: Tensor, penalty: bool = True
) -> dict[str, Tensor]:
    """The terms of a generator and of the discriminator of its patches; the maps of real pictures serve both.

    Args:
        discriminator: D, trained by the term `discriminator` and `r1` alone.
        fake: generated pictures (B, 3, S, S) in [-1, 1].
        real: the picture that each of them is to become, in the same form.
        penalty: compute `r1`, which costs a second backward pass.

    Returns:
        `adversarial` and `features`, whose gradient reaches `fake` alone, `discriminator` and `r1`; scalars.
    """
    real_maps = discriminator.maps(real)
    with _frozen(discriminator):
        maps = discriminator.maps(fake)
        logits = discriminator.logits(maps)
    terms = {
        "adversarial": F.softplus(-logits).mean(),
        "features": feature_loss(maps, real_maps),
        "discriminator": F.softplus(discriminator(fake.detach())).mean()
        + F.softplus(-discriminator.logits(real_maps)).mean(),
    }
    return {**terms, "r1": gradient_penalty(discriminator, real)} if penalty else terms


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Record no gradient of the network's parameters for what is computed inside."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def feature_loss(maps: Sequence[Tensor], real_maps: Sequence[Tensor]) -> Tensor:
    """The mean absolute difference of a discriminator's maps of generated and real pictures, a sum over the maps.

    It pulls a picture towards its own reference in what the discriminator attends to (Wang et al. 2018, pix2pixHD).

    Example:
        >>> feature_loss([torch.ones(1, 2), torch.ones(1, 4)], [torch.zeros(1, 2), torch.zeros(1, 4)]).item()
        2.0
    """
    return torch.stack([F.l1_loss(own, real.detach()) for own, real in zip(maps, real_maps, strict=True)]).sum()


def gradient_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """The penalty R1: half the squared norm of the logit's gradient at real pictures, the mean over the batch.

    Where a picture has many logits, their mean is the logit.

    Example:
        >>> gradient_penalty(nn.Flatten(), torch.zeros(2, 1, 2, 2)).item()  # half of four quarters squared
        0.125
    """
    real = real.detach().requires_grad_(True)
    logits = discriminator(real)
    (gradient,) = torch.autograd.grad(logits.reshape(len(real), -1).mean(dim=1).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
