import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

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


def test_attention_takes_four_times_the_work_of_linear_maps_as_in_table_v():
    work = {}
    for name, weighting in {"linear": SampleAdaptiveWeighting(256), "attention": AttentionWeighting(256)}.items():
        with FlopCounterMode(display=False) as counter:
            weighting(torch.randn(1, 256), torch.randn(256))
        work[name] = counter.get_total_flops()
    # Two products of d × d, two operations each; attention between two tokens adds a little to eight of them.
    assert work["linear"] == 2 * 2 * 256 * 256
    assert work["attention"] / work["linear"] == pytest.approx(4, rel=0.02)
