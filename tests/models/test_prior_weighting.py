import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from s2tf.models.prior_weighting import (
    BETA_0,
    AttentionWeighting,
    NoPrior,
    ReplacedPrior,
    SampleAdaptiveWeighting,
    SampleEquivalentWeighting,
    SpeechPath,
)
from s2tf.nn.network import load_network

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


def trained(weighting):
    for parameter in weighting.parameters():
        parameter.data.normal_(std=0.3)
    return weighting


def test_a_replaced_prior_is_all_that_the_weighting_sees():
    saw, z_s, z_p = trained(SampleAdaptiveWeighting(D)), torch.randn(3, D), torch.randn(D)
    ones = ReplacedPrior(saw, "ones")
    torch.testing.assert_close(ones(z_s, z_p), saw(z_s, torch.ones(D)))
    torch.testing.assert_close(ones.beta(z_s, z_p), ones(z_s, z_p))
    permuted = ReplacedPrior(saw, "permuted")
    order = permuted.replaced(torch.arange(D))
    assert sorted(order.tolist()) == list(range(D)) != order.tolist()
    torch.testing.assert_close(permuted(z_s, z_p), saw(z_s, z_p[order]))
    with pytest.raises(ValueError, match="prior is 'none', expected 'ones' or 'permuted'"):
        ReplacedPrior(saw, "none")


def test_saw_is_every_affine_map_of_the_speech_whatever_the_prior_is():
    """The reason for the controls: a second path without a prior can do all that SAW does, if no entry of z_p is 0."""
    saw, path, z_s, z_p = trained(SampleAdaptiveWeighting(D)), SpeechPath(D), torch.randn(3, D), torch.randn(D)
    assert path(z_s, z_p).abs().max() == 0
    path.speech.weight.data = z_p[:, None] * saw.speech.weight
    path.speech.bias.data = z_p * (saw.prior(z_p) + saw.speech.bias)
    torch.testing.assert_close(path(z_s, torch.zeros(D)), saw(z_s, z_p), rtol=1e-4, atol=1e-4)


def test_layer_norm_is_an_argument_of_both_designs_and_a_stored_network_keeps_its_own(tmp_path):
    z_s, z_p = torch.randn(3, D), torch.randn(D)
    for weighting in (SampleAdaptiveWeighting(D), AttentionWeighting(D, heads=4)):
        other = type(weighting)(D, normalise=weighting.norm is None)
        for one, scaled in ((weighting, weighting.norm is None), (other, other.norm is None)):
            differs = not torch.allclose(trained(one).beta(z_s, z_p), one.beta(3 * z_s, 3 * z_p), atol=1e-2)
            assert differs == scaled
        folder = tmp_path / type(weighting).__name__
        other.save_pretrained(folder)
        torch.testing.assert_close(load_network(str(folder)).eval().beta(z_s, z_p), other.eval().beta(z_s, z_p))
