import pytest
import torch

from s2tf.models.prior_weighting import AttentionWeighting, SampleAdaptiveWeighting
from s2tf.reporting.costs.flops import count_flops


@pytest.mark.parametrize("dim", [64, 4096])
def test_attention_costs_four_times_the_two_linear_maps(dim):
    with torch.device("meta"):
        z_s, z_p = torch.zeros(1, dim), torch.zeros(dim)
        linear, attention = (
            count_flops(lambda network=network: network(dim).eval().beta(z_s, z_p))
            for network in (SampleAdaptiveWeighting, AttentionWeighting)
        )
    # Of a map: two for each multiplication and addition.
    assert linear == 2 * 2 * dim**2
    assert attention / linear == pytest.approx(4, rel=0.03)


def test_fused_attention_is_as_it_was_afterwards():
    before = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ZeroDivisionError):
        count_flops(lambda: 1 / 0)
    assert torch.backends.mha.get_fastpath_enabled() == before
