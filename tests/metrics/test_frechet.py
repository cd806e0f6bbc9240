import numpy as np
import pytest
import torch
from scipy import linalg
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision.models import inception_v3

from s2tf.metrics.frechet import FrechetDistance, InceptionFeatures, frechet_distance

FEATURES = 6


class Read:
    """Reads the first values of a picture, in float64 as torchmetrics is told to compute."""

    features = FEATURES
    protocol = {"network": "first values"}  # noqa: RUF012

    def read(self, frames):
        return frames.flatten(1)[:, :FEATURES].double()


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """A file of the public file's names, which has no counts of batches; its weights are random, but given."""
    torch.manual_seed(0)
    state = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save({name: 2 * value for name, value in state.items() if "num_batches" not in name}, path)
    return str(path)


def frames(count, seed, spread=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, spread, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)


def gaussian(features, rank, seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(features, rank))
    return rng.normal(size=features), root @ root.T / rank


@pytest.mark.parametrize("features", [1, 5, 60])
def test_the_distance_is_that_of_a_matrix_root(features):
    (m1, S1), (m2, S2) = gaussian(features, 2 * features, 0), gaussian(features, 3 * features, 1)
    expected = ((m1 - m2) ** 2).sum() + np.trace(S1 + S2 - 2 * linalg.sqrtm(S1 @ S2).real)
    values = (torch.from_numpy(value) for value in (m1, S1, m2, S2))
    assert frechet_distance(*values).item() == pytest.approx(expected, rel=1e-6)


def test_singular_covariances_have_their_distance_too():
    # Of two degenerate Gaussians on orthogonal axes the traces alone are left.
    S1, S2 = torch.diag(torch.tensor([4.0, 0.0, 0.0])), torch.diag(torch.tensor([0.0, 9.0, 0.0]))
    zero = torch.zeros(3)
    assert frechet_distance(zero, S1, zero, S2).item() == pytest.approx(13)
    _, few = gaussian(200, 5, 0)
    few = torch.from_numpy(few)
    mean = torch.zeros(200)
    assert frechet_distance(mean, few, mean, few).item() == pytest.approx(0, abs=1e-5 * few.trace().item())
    # |S^½ - 2 S^½|² of equal Gaussians but for their size.
    assert frechet_distance(mean, few, mean, 4 * few).item() == pytest.approx(few.trace().item(), rel=1e-6)


def test_the_metric_is_torchmetrics_own():
    made, true = frames(50, 0), frames(70, 1, spread=200)

    class Network(torch.nn.Module):
        num_features = FEATURES

        def forward(self, pictures):
            return Read().read(pictures)

    theirs = FrechetInceptionDistance(Network())
    theirs.update(made, real=False)
    theirs.update(true, real=True)
    ours = FrechetDistance(Read())
    ours.update(made, true)
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-6)


def test_parts_in_any_split_are_the_whole():
    made, true = frames(50, 0), frames(70, 1, spread=200)
    whole, one, other = (FrechetDistance(Read()) for _ in range(3))
    whole.update(made, true)
    one.update(made[:7], true[:60])
    other.update(made[7:], true[60:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(whole.compute().item(), rel=1e-12)
    assert one.protocol == whole.protocol
    assert one.protocol["frames"] == 50
    assert one.protocol["true frames"] == 70


def test_few_frames_are_warned_of_and_one_is_refused():
    metric = FrechetDistance(Read())
    metric.update(frames(6, 0), frames(7, 1))
    assert "FID of 6 frames in 6 features" in metric.warning
    metric.update(frames(1, 0), frames(0, 1))
    assert metric.warning is None
    single = FrechetDistance(Read())
    single.update(frames(1, 0), frames(7, 1))
    with pytest.raises(ValueError, match="FID of 1 frames: expected two"):
        single.compute()


def test_the_features_are_those_of_torchmetrics_without_antialiasing(inception):
    pictures = torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    reader = InceptionFeatures(inception)
    theirs = FrechetInceptionDistance(2048, feature_extractor_weights_path=inception, antialias=False)
    values = reader.read(pictures)
    assert values.shape == (2, 2048)
    assert values.std() > 0
    torch.testing.assert_close(values, theirs.inception(pictures), atol=0, rtol=0)
    assert len(reader.protocol["weights"]) == 16
    with pytest.raises(ValueError, match="expected uint8"):
        reader.read(pictures.float())


def test_random_weights_run_only_where_they_are_asked_for_and_are_named():
    with pytest.raises(ValueError, match="random weights is no metric"):
        InceptionFeatures("random")
    reader = InceptionFeatures("random", allow_random=True)
    assert reader.protocol["weights"] == "RANDOM WEIGHTS"
    values = reader.read(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8))
    assert values.isfinite().all()
    assert (values[0] - values[1]).abs().mean() > 1e-3 * values.abs().mean()


def test_a_missing_or_other_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist, expected torch-fidelity's weights-inception"):
        InceptionFeatures(str(tmp_path / "absent.pth"))
    other = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(2, 2)}, other)
    with pytest.raises(ValueError, match="other.pth does not fit FID's Inception"):
        InceptionFeatures(str(other))
    other.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="other.pth does not fit FID's Inception"):
        InceptionFeatures(str(other))
