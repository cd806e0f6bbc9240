import pytest
import torch

from s2tf.models.lip_landmarks import LipLandmarks


@pytest.mark.parametrize("context", [0, 3])
def test_untrained_offsets_are_zero(context):
    network = LipLandmarks(16, 32, context)
    lips = torch.randn(3, 20, 2)
    out = network(torch.randn(3, 14, 16), lips)
    assert torch.equal(out, lips[:, None].expand(3, 7, 20, 2))


def test_every_parameter_learns():
    network = LipLandmarks(16, 32, 2)
    torch.nn.init.normal_(network.to_offset.weight)
    network(torch.randn(3, 14, 16), torch.randn(3, 20, 2)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(("context", "reach"), [(0, 0), (1, 1), (3, 7)])
def test_context_reaches_as_far_as_documented(context, reach):
    network = LipLandmarks(4, 8, context).double()
    torch.nn.init.normal_(network.to_offset.weight)
    features = torch.randn(1, 60, 4, dtype=torch.float64)
    changed = features.clone()
    changed[0, 30] += 1.0
    lips = torch.zeros(1, 20, 2, dtype=torch.float64)
    moved = (network(features, lips) - network(changed, lips)).abs().amax(dim=(0, 2, 3)) > 1e-12
    assert moved.nonzero().flatten().tolist() == list(range(15 - reach, 15 + reach + 1))


def test_features_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected \(B, 2 T, 16\)"):
        LipLandmarks(16)(torch.randn(1, 5, 16), torch.randn(1, 20, 2))
    with pytest.raises(ValueError, match=r"expected \(B, 2 T, 16\)"):
        LipLandmarks(16)(torch.randn(1, 6, 8), torch.randn(1, 20, 2))
