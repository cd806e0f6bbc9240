import math

import pytest
import torch
from torch import nn

from s2tf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from s2tf.losses.vgg import VGGPyramid


class Linear(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, image):
        return (image * self.weight).sum(dim=(1, 2, 3))


def test_each_loss_gives_a_gradient_to_its_own_network_only():
    discriminator = Linear(torch.randn(3, 4, 4))
    fake, real = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(2, 3, 4, 4)
    generator_loss(discriminator, fake).backward()
    assert fake.grad.abs().sum() > 0
    assert discriminator.weight.grad is None
    fake.grad = None
    discriminator_loss(discriminator, fake, real).backward()
    assert discriminator.weight.grad.abs().sum() > 0
    assert fake.grad is None


def test_losses_are_those_of_a_sigmoid_discriminator():
    discriminator = Linear(torch.ones(1, 1, 1))
    fake, real = torch.full((1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1), 2.0)
    sigmoid = lambda logit: 1 / (1 + math.exp(-logit))  # noqa: E731
    assert generator_loss(discriminator, fake).item() == pytest.approx(-math.log(sigmoid(0.5)))
    expected = -math.log(1 - sigmoid(0.5)) - math.log(sigmoid(2.0))
    assert discriminator_loss(discriminator, fake, real).item() == pytest.approx(expected)


def test_gradient_penalty_of_a_linear_discriminator_is_half_its_squared_norm():
    weight = torch.randn(3, 4, 4)
    discriminator = Linear(weight)
    penalty = gradient_penalty(discriminator, torch.randn(2, 3, 4, 4))
    assert penalty.item() == pytest.approx(weight.square().sum().item() / 2, rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, weight)


def test_vgg_pyramid_is_zero_for_equal_pictures_and_grows_with_the_difference():
    loss = VGGPyramid("random", layers=3, scales=2, width=0.1)
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    noise = torch.randn_like(image)
    assert loss(image, image) == 0
    assert 0 < loss(image + 0.05 * noise, image) < loss(image + 0.2 * noise, image)
    assert loss.is_random


def test_vgg_pyramid_is_trained_by_nobody_and_the_same_in_every_run():
    first = VGGPyramid("random", width=0.1)
    torch.manual_seed(99)
    second = VGGPyramid("random", width=0.1)
    assert not any(parameter.requires_grad for parameter in first.parameters())
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.slow
def test_vgg_layers_are_those_of_torchvision(tmp_path):
    import torchvision

    torch.manual_seed(0)
    reference = torchvision.models.vgg19(weights=None)
    torch.save(reference.state_dict(), tmp_path / "vgg19.pth")
    loss = VGGPyramid(str(tmp_path / "vgg19.pth"))
    assert not loss.is_random
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    x = ((image + 1) / 2 - loss.mean) / loss.std
    found = loss.features(image)
    for index, feature in zip((2, 7, 12, 21, 30), found, strict=True):
        expected = reference.features[:index](x)
        torch.testing.assert_close(feature, expected)


def test_missing_or_unfitting_vgg_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="weights is 'absent.pth'.*vgg19"):
        VGGPyramid("absent.pth")
    with pytest.raises(ValueError, match="width is 0.5"):
        VGGPyramid("absent.pth", width=0.5)
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "short.pth")
    with pytest.raises(ValueError, match="expected VGG19's 16"):
        VGGPyramid(str(tmp_path / "short.pth"))
