import pytest
import torch

from s2tf.losses.perceptual import PerceptualLoss
from s2tf.losses.reconstruction import mean_absolute_error


@pytest.fixture(scope="module")
def perceptual():
    return PerceptualLoss("random")


def test_mean_absolute_error():
    assert mean_absolute_error(torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), -0.25)).item() == 0.75


def test_perceptual_loss_is_zero_for_equal_pictures_and_grows_with_the_change(perceptual):
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    noise = torch.randn_like(picture)
    values = [perceptual(picture + amount * noise, picture).item() for amount in (0.0, 0.05, 0.3)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]


def test_gradient_reaches_the_picture_and_no_weight(perceptual):
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    perceptual(picture, torch.rand(1, 3, 64, 64)).backward()
    assert picture.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in perceptual.parameters())


def test_random_features_are_the_same_in_every_process_and_leave_the_seed_alone(perceptual):
    torch.manual_seed(7)
    other = PerceptualLoss("random")
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1))
    assert other.is_random
    for mine, its in zip(perceptual.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_it_stays_in_evaluation_mode(perceptual):
    assert not perceptual.train().network.training


def test_backbone_weights_are_read_from_a_file_by_torchvisions_names(tmp_path, perceptual):
    state = {
        "features." + name.partition(".")[2]: torch.randn_like(p)
        for name, p in perceptual.network.net.named_parameters()
    }
    torch.save(state, tmp_path / "alexnet.pth")
    loaded = PerceptualLoss(str(tmp_path / "alexnet.pth"))
    assert not loaded.is_random
    torch.testing.assert_close(dict(loaded.network.net.named_parameters())["slice2.3.bias"], state["features.3.bias"])


def test_missing_and_wrong_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"perceptual.weights is 'absent.pth'.*alexnet-owt"):
        PerceptualLoss("absent.pth")
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"features.0.weight differs"):
        PerceptualLoss(str(tmp_path / "other.pth"))
