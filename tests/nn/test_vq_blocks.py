import pytest
import torch

from s2tf.nn.vq_blocks import Fusion


def grown(fusions, factor):
    """How large `x` is after fusions on end, where the faithful features are `factor` times as large as usual."""
    torch.manual_seed(1)
    x, faithful = torch.randn(1, 16, 8, 8), factor * torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        for fusion in fusions:
            x = fusion(x, faithful)
    return x.abs().max().item()


@pytest.mark.parametrize(("normalise", "bounded"), [(True, True), (False, False)])
def test_normalised_fusions_do_not_blow_large_features_up(normalise, bounded):
    torch.manual_seed(0)
    fusions = [Fusion(8, 16, normalise) for _ in range(4)]
    # The plain ones grow with the square of what they are given, level after level.
    assert (grown(fusions, 1e4) < 100 * grown(fusions, 1.0)) == bounded


def test_no_fidelity_leaves_the_codebook_s_features():
    x = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(Fusion(8, 16)(x, torch.randn(2, 8, 8, 8), fidelity=0.0), x)
