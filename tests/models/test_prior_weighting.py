import pytest
import torch

from s2tf.models.prior_weighting import (
    BETA_0,
    AttentionWeighting,
    NoPrior,
    SampleAdaptiveWeighting,
    SampleEquivalentWeighting,
)

D = 16


def test_constant_weights():
    z_s, z_p = torch.randn(3, D), torch.randn(D)
    assert NoPrior()(z_s, z_p).abs().max() == 0
    torch.testing.assert_close(SampleEquivalentWeighting()(z_s, z_p), 0.01 * z_p.expand(3, D))


def test_saw_starts_at_beta_0_and_then_follows_eq_8_and_9():
    saw, z_s, z_p = SampleAdaptiveWeighting(D), 100 * torch.randn(3, D), torch.randn(D)
    torch.testing.assert_close(saw.beta(z_s, z_p), torch.full((3, D), BETA_0))
    for parameter in saw.parameters():
        parameter.data.normal_()
    beta = z_s @ saw.speech.weight.T + z_p @ saw.prior.weight.T + saw.speech.bias
    torch.testing.assert_close(saw(z_s, z_p), beta * z_p)


def test_attention_starts_near_beta_0():
    beta = AttentionWeighting(64, heads=4).beta(torch.randn(8, 64), torch.randn(64))
    assert (beta - BETA_0).abs().max() < 0.01


@pytest.mark.parametrize("weighting", [SampleAdaptiveWeighting(D), AttentionWeighting(D, heads=4)])
def test_gradient_reaches_every_parameter(weighting):
    weighting(torch.randn(4, D), torch.randn(D)).pow(2).sum().backward()
    assert [name for name, p in weighting.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
