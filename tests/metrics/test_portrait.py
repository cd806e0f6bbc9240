import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cityblock, cosine, euclidean

from s2tf.metrics import portrait
from s2tf.metrics.portrait import FeatureDistance, SeedVariation, SpeakerConsistency, feature_distances


def test_distances_agree_with_scipy_and_angles_do_not_depend_on_the_features_length():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(5, 7, generator=generator) for _ in range(2))
    distances = feature_distances(one, other)
    for row in range(5):
        a, b = (features[row].double() / features[row].double().norm() for features in (one, other))
        assert distances["L1_unit"][row] == pytest.approx(float((a - b).abs().sum()), rel=1e-6)
        assert distances["L2_unit"][row] == pytest.approx(float((a - b).norm()), rel=1e-6)
        assert distances["L1"][row] == pytest.approx(cityblock(one[row], other[row]), rel=1e-5)
        assert distances["L2"][row] == pytest.approx(euclidean(one[row], other[row]), rel=1e-5)
        similarity = 1 - cosine(one[row].double().numpy(), other[row].double().numpy())
        assert distances["cosine_similarity"][row] == pytest.approx(similarity, abs=1e-6)
        assert distances["cosine_degrees"][row] == pytest.approx(math.degrees(np.arccos(similarity)), abs=1e-4)
    scaled = feature_distances(3 * one, 0.1 * other)
    for name in ("L1_unit", "L2_unit", "cosine_degrees", "cosine_similarity"):
        torch.testing.assert_close(scaled[name], distances[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 45.0, 90.0, 180.0])
def test_an_angle_is_the_angle_even_where_it_is_small(degrees):
    angle = math.radians(degrees)
    one = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    other = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
    assert feature_distances(one, other)["cosine_degrees"].item() == pytest.approx(degrees, rel=1e-6, abs=1e-9)


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")  # The last lines compute an empty one.
def test_the_mean_is_over_portraits_however_they_were_dealt_to_updates():
    one, other = torch.randn(9, 4), torch.randn(9, 4)
    whole, parts = FeatureDistance("test"), FeatureDistance("test")
    whole.update(one, other)
    for start, stop in [(0, 1), (1, 8), (8, 9)]:
        parts.update(one[start:stop], other[start:stop])
    for name, value in whole.compute().items():
        torch.testing.assert_close(parts.compute()[name], value)
    assert whole.protocol == parts.protocol == {"network": "test", "portraits": 9}
    with pytest.raises(ValueError, match="none was added"):
        FeatureDistance("test").compute()
    with pytest.raises(ValueError, match="expected"):
        whole.update(one, other[:3])


def test_variation_tells_a_listener_from_one_that_draws_at_random_and_from_one_that_ignores_the_seed():
    generator = torch.Generator().manual_seed(1)
    speakers, noise = torch.randn(20, 1, 16, generator=generator), torch.randn(20, 6, 16, generator=generator)
    results = {}
    for name, features in {
        "listens": speakers + 0.3 * noise,
        "deaf": noise,
        "same": speakers.expand(20, 6, 16),
    }.items():
        metric = SeedVariation("test")
        metric.update(features[:7])
        metric.update(features[7:])
        results[name] = metric.compute()
    assert results["listens"]["consistency"] > 0.8 > 0.2 > abs(results["listens"]["between_speakers"])
    assert abs(results["deaf"]["consistency"] - results["deaf"]["between_speakers"]) < 0.1
    assert results["same"]["diversity"] == pytest.approx(0, abs=1e-12)
    assert results["same"]["consistency"] == pytest.approx(1)
    assert results["same"]["diversity"] < results["listens"]["diversity"] < results["deaf"]["diversity"]


def test_similarities_are_those_of_all_pairs():
    features = torch.nn.functional.normalize(torch.randn(3, 4, 5, dtype=torch.float64), dim=2)
    metric = SeedVariation("test")
    metric.update(features)
    pairs = [features[row, i] @ features[row, j] for row in range(3) for i in range(4) for j in range(i)]
    assert metric.compute()["consistency"] == pytest.approx(float(sum(pairs) / len(pairs)))
    assert metric.protocol == {"network": "test", "features": "unit length", "speeches": 3, "seeds": 4}
    with pytest.raises(ValueError, match="two seeds"):
        metric.update(features[:, :1])


def test_speaker_consistency_is_the_mean_over_people_of_pairs_of_their_speeches():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(7, 5, generator=generator)
    people = torch.tensor([3, 3, 3, 8, 8, 1, 5])
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    alike = unit @ unit.T
    same = [torch.stack([alike[i, j] for i in rows for j in rows if i != j]).mean() for rows in ((0, 1, 2), (3, 4))]
    different = torch.stack([alike[i, j] for i in range(7) for j in range(7) if people[i] != people[j]]).mean()
    whole, one, other = (SpeakerConsistency() for _ in range(3))
    whole.update(features, people)
    one.update(features[:2], people[:2])
    other.update(features[2:], people[2:])
    one.merge_state(other)
    for metric in (whole, one):
        found = metric.compute()
        assert found["same"].item() == pytest.approx(torch.stack(same).mean().item())
        assert found["different"].item() == pytest.approx(different.item())
    with pytest.raises(ValueError, match=r"expected \(B, D\) and \(B,\)"):
        whole.update(features, people[:3])
    alone = SpeakerConsistency()
    alone.update(features[:2], torch.tensor([0, 1]))
    assert alone.compute()["same"].isnan()


def test_features_become_doubles_a_block_of_rows_after_the_other(monkeypatch):
    """Those of AVSpeech's test clips at once would fill 60 GB."""
    generator = torch.Generator().manual_seed(2)
    one, other = (torch.randn(23, 5, generator=generator) for _ in range(2))
    people = torch.arange(23) % 4

    def found():
        metric = SpeakerConsistency()
        metric.update(one[:9], people[:9])
        metric.update(one[9:], people[9:])
        return {**feature_distances(one, other), **metric.compute()}

    whole, sizes, normalize = found(), [], torch.nn.functional.normalize
    monkeypatch.setattr(portrait, "BLOCK", 20)
    monkeypatch.setattr(portrait.F, "normalize", lambda x, dim: sizes.append(len(x)) or normalize(x, dim=dim))
    blocks = found()
    assert max(sizes) == 4
    for name, values in whole.items():
        assert torch.equal(blocks[name], values), name
