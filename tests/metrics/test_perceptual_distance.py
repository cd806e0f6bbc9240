import pytest
import torch
from torchvision.models import alexnet

from s2tf.losses.perceptual import PerceptualLoss
from s2tf.metrics.perceptual_distance import LPIPS, MeanPerceptualDistance


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A file of torchvision's names; its weights are random, but given."""
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.manual_seed(0)
    torch.save(alexnet().state_dict(), path)
    return str(path)


def test_lpips_is_the_mean_of_which_the_loss_is_one(backbone):
    one, other = torch.rand(2, 3, 3, 80, 80) * 2 - 1
    values = LPIPS(backbone).compare(one, other)
    assert values.shape == (3,)
    torch.testing.assert_close(values.mean(), PerceptualLoss(backbone)(one, other))
    assert LPIPS(backbone).compare(one, one).abs().max() < 1e-6


def test_bytes_and_small_pictures_are_compared_too(backbone):
    metric = LPIPS(backbone)
    pixels = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    noisy = (pixels.float() + 40 * torch.randn(2, 3, 80, 80)).clamp(0, 255).byte()
    torch.testing.assert_close(
        metric.compare(pixels, noisy), metric.compare(pixels.float() / 127.5 - 1, noisy.float() / 127.5 - 1)
    )
    small = torch.rand(1, 3, 16, 16)
    assert metric.compare(small, small).item() == pytest.approx(0, abs=1e-6)
    assert {"perceptual", "perceptual weights"} == metric.protocol.keys()


def test_random_and_missing_weights_are_no_metric(tmp_path):
    with pytest.raises(ValueError, match="is no metric"):
        LPIPS("random")
    with pytest.raises(FileNotFoundError, match="does not exist, expected torchvision's vgg16"):
        LPIPS(str(tmp_path / "absent.pth"), "vgg")


def test_random_weights_that_are_asked_for_are_named():
    metric = LPIPS("random", allow_random=True)
    assert metric.protocol["perceptual weights"] == "RANDOM WEIGHTS"


def test_the_mean_over_frames_is_the_same_in_any_split(backbone):
    distance = LPIPS(backbone)
    frames, true = torch.randint(0, 256, (2, 18, 3, 64, 64), dtype=torch.uint8)
    whole, one, other = (MeanPerceptualDistance(distance) for _ in range(3))
    whole.update(frames, true)
    assert whole.compute().item() == pytest.approx(distance.compare(frames, true).mean().item(), rel=1e-5)
    # The convolutions' own rounding goes with the number of frames at once, which is the same here.
    one.update(frames[:16], true[:16])
    other.update(frames[16:], true[16:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(whole.compute().item(), rel=1e-12)
    assert one.protocol == whole.protocol == {**distance.protocol, "frames": 18}
    with pytest.raises(ValueError, match="expected equal"):
        whole.update(frames, true[:1])
