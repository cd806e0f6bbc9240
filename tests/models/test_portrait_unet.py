import pytest
import torch

from s2tf.models.portrait_unet import PortraitUNet

NARROW = {
    "latent_shape": (4, 4, 4),
    "dim": 64,
    "channels": (8, 16),
    "layers_per_block": 1,
    "heads": 2,
    "tokens": 4,
    "context_dim": 8,
    "norm_groups": 4,
}


def test_speech_and_time_and_gradient_reach_everything():
    unet = PortraitUNet(**NARROW)
    z_t, t, z_s = torch.randn(3, 4, 4, 4), torch.tensor([0, 10, 999]), torch.randn(3, 64)
    epsilon = unet(z_t, t, z_s)
    epsilon.pow(2).sum().backward()
    assert epsilon.shape == z_t.shape
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert not torch.allclose(unet(z_t, t, torch.randn(3, 64)), epsilon)
    assert not torch.allclose(unet(z_t, t.flip(0), z_s), epsilon)


def test_order_of_the_speech_tokens_matters():
    unet = PortraitUNet(**NARROW).eval()
    z_t, t, z_s = torch.randn(1, 4, 4, 4), torch.tensor([10]), torch.randn(1, 64)
    exchanged = z_s.reshape(1, 4, 16).flip(1).reshape(1, 64)
    assert not torch.allclose(unet(z_t, t, z_s), unet(z_t, t, exchanged), atol=1e-5)


def test_checkpointed_activations_give_the_same_gradients_with_less_kept():
    plain, saving = PortraitUNet(**NARROW), PortraitUNet(**NARROW, gradient_checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    z_t, t, z_s = torch.randn(3, 4, 4, 4), torch.tensor([0, 10, 999]), torch.randn(3, 64)
    kept = []
    for unet in (plain, saving):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, s=sizes: s.append(x.numel()) or x, lambda x: x):
            loss = unet(z_t, t, z_s).pow(2).sum()
        kept.append(sum(sizes))
        loss.backward()
    assert kept[1] < 0.5 * kept[0]
    for (name, one), other in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, msg=name)


def test_widths_of_the_paper_budget_and_of_stable_diffusion():
    with torch.device("meta"):
        assert PortraitUNet().parameter_count == pytest.approx(315e6, rel=0.01)
        assert PortraitUNet(channels=(320, 640, 1280, 1280)).parameter_count == pytest.approx(860e6, rel=0.005)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="tokens is 5, expected a divisor of dim 64"):
        PortraitUNet(**{**NARROW, "tokens": 5})
    with pytest.raises(ValueError, match="with 2 levels h and w must be multiples of 2"):
        PortraitUNet(**{**NARROW, "latent_shape": (4, 3, 3)})
