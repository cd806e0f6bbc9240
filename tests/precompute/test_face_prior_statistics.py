import json

import pytest
import torch

from s2tf.models.face_prior import FacePrior
from s2tf.nn.network import Network
from s2tf.precompute.face_prior_statistics import Wanted, compute_face_priors

D = 12


def _faces(genders, seed=0):
    """Pictures of one colour each, by key, so that the mean of any choice of them is known."""
    pictures = torch.randn(len(genders), 3, 2, 2, generator=torch.Generator().manual_seed(seed)) + 2
    return [(f"clip-{i:03d}", pictures[i], gender) for i, gender in enumerate(genders)]


def _batches(faces, size):
    for start in range(0, len(faces), size):
        keys, pictures, genders = zip(*faces[start : start + size], strict=True)
        yield {"key": list(keys), "portrait": torch.stack(pictures), "gender": torch.tensor(genders)}


def _encode(portrait):
    return portrait.flatten(1)


def prior_of(encode, batches, n, balance=0.5, seed=0):
    """The one prior of n faces."""
    wanted = Wanted(n, balance)
    return compute_face_priors(encode, batches, [wanted], seed)[wanted]


def test_same_n_and_seed_give_the_same_prior_whatever_the_order_and_the_batches():
    faces = _faces([0, 1] * 30)
    one = prior_of(_encode, _batches(faces, 60), 20, seed=3)
    other = prior_of(_encode, _batches(faces[::-1] + faces[:5], 7), 20, seed=3)
    assert torch.equal(one.z_p, other.z_p)
    assert torch.equal(one.scale, other.scale)
    assert not torch.equal(one.z_p, prior_of(_encode, _batches(faces, 60), 20, seed=4).z_p)


def test_mean_and_scale_of_all_faces_are_those_of_torch():
    faces = _faces([0, 1] * 10)
    prior = prior_of(_encode, _batches(faces, 6), 20)
    latents = torch.stack([picture.flatten() for _, picture, _ in faces]).double()
    torch.testing.assert_close(prior.z_p.double(), latents.mean(0), rtol=0, atol=1e-6)
    assert prior.scale.item() == pytest.approx(latents.std(correction=0).item(), rel=1e-6)
    assert prior.scaled(latents).std(correction=0).item() == pytest.approx(1, rel=1e-6)
    torch.testing.assert_close(prior.unscaled(prior.scaled(latents)), latents)


@pytest.mark.parametrize(("balance", "female"), [(0.0, 0), (0.25, 5), (0.5, 10), (1.0, 20)])
def test_balance_is_kept(balance, female):
    faces = [(key, torch.full((3, 2, 2), float(gender)), gender) for key, _, gender in _faces([0, 1, 1] * 20)]
    prior = prior_of(_encode, _batches(faces, 16), 20, balance)
    torch.testing.assert_close(prior.z_p, torch.full((D,), 1 - balance))
    assert (prior.provenance["n"], prior.provenance["female"], prior.provenance["male"]) == (20, female, 20 - female)


def test_a_larger_n_holds_the_faces_of_the_smaller():
    faces = [(key, torch.eye(20)[i][None], gender) for i, (key, _, gender) in enumerate(_faces([0, 1] * 10))]
    small = prior_of(_encode, _batches(faces, 5), 6).z_p > 0
    large = prior_of(_encode, _batches(faces, 5), 12).z_p > 0
    assert small.sum() == 6
    assert (large & small).sum() == 6


def test_several_priors_of_one_pass_are_those_of_their_own():
    faces = _faces([0, 1, 1] * 20)
    wanted = [Wanted(4), Wanted(20, 0.25), Wanted(8, 1.0), Wanted(12, 0.0)]
    together = compute_face_priors(_encode, _batches(faces, 7), wanted, seed=2)
    assert list(together) == wanted
    for one, prior in together.items():
        alone = prior_of(_encode, _batches(faces, 60), one.n, one.balance, seed=2)
        assert torch.equal(prior.z_p, alone.z_p)
        assert torch.equal(prior.scale, alone.scale)
        assert prior.provenance == alone.provenance
    most = compute_face_priors(_encode, _batches(faces, 7), [Wanted(None), Wanted(4)])[Wanted(None)]
    assert most.provenance["n"] == 41


def test_priors_that_there_are_faces_for_are_computed_though_others_cannot_be():
    missing = []
    wanted = [Wanted(40, 1.0), Wanted(8)]
    priors = compute_face_priors(
        _encode, _batches(_faces([0, 1] * 10), 6), wanted, on_missing=lambda one, error: missing.append((one, error))
    )
    assert list(priors) == [Wanted(8)]
    assert missing[0][0] == Wanted(40, 1.0)
    assert "needs 40 female and 0 male faces, but the data set has 10 female" in str(missing[0][1])
    with pytest.raises(ValueError, match="no prior is requested"):
        compute_face_priors(_encode, _batches(_faces([0, 1]), 2), [])


@pytest.mark.parametrize(("n", "balance"), [(1, 0.5), (10, 1.5)])
def test_a_prior_that_cannot_be_is_refused(n, balance):
    with pytest.raises(ValueError, match="expected"):
        Wanted(n, balance)


def test_all_that_the_balance_allows():
    prior = prior_of(_encode, _batches(_faces([0] * 5 + [1] * 20), 8), None)
    assert (prior.provenance["female"], prior.provenance["male"]) == (5, 5)


def test_few_faces_are_encoded_beyond_those_taken():
    seen = 0

    def encode(portrait):
        nonlocal seen
        seen += len(portrait)
        return portrait.flatten(1)

    prior_of(encode, _batches(_faces([0, 1] * 1000), 50), 20)
    # Expected: n (1 + ln(M / n)) = 112.
    assert seen < 250


@pytest.mark.parametrize(
    ("genders", "wanted", "problem"),
    [
        (
            [0] * 3 + [1] * 20,
            Wanted(20),
            r"needs 10 female and 10 male faces, but the data set has 3 female, 20 male and 0 of unknown gender: "
            r"lower prior\.faces to at most 6, or change the share",
        ),
        (
            [-1] * 9,
            Wanted(8),
            r"needs 4 female and 4 male faces, but the data set has 0 female, 0 male and 9 of unknown gender: "
            r"add the gender of the 9 faces by `s2tf attributes SHARDS --attributes READER --out NEW`",
        ),
        ([1], Wanted(None), r"two faces or more .* needs 1 female and 1 male faces, but .* has 0 female, 1 male"),
        ([-1] * 9, Wanted(None), r"a prior of two faces or more .* 9 of unknown gender: add the gender"),
        ([0] * 9, Wanted(4, 0.25), r"needs 1 female and 3 male faces, but the data set has 9 female, 0 male"),
        ([-1] * 4, Wanted(9, None), r"needs 9 faces, but the data set has 4: lower prior\.faces"),
    ],
)
def test_a_balance_that_cannot_be_kept_is_an_error_with_the_numbers_and_the_remedy(genders, wanted, problem):
    with pytest.raises(ValueError, match=problem):
        compute_face_priors(_encode, _batches(_faces(genders), 8), [wanted])


def test_faces_of_unknown_gender_are_taken_only_where_any_are_wanted():
    faces = _faces([0, 1, -1] * 4)
    mixed = prior_of(_encode, _batches(faces, 5), 8)
    assert (mixed.provenance["unknown"], mixed.provenance["balanced"]) == (0, True)
    everything = prior_of(_encode, _batches(faces, 5), None, None)
    assert {name: everything.provenance[name] for name in ("n", "female", "male", "unknown", "balanced")} == {
        "n": 12,
        "female": 4,
        "male": 4,
        "unknown": 4,
        "balanced": False,
    }
    torch.testing.assert_close(everything.z_p, torch.stack([picture.flatten() for _, picture, _ in faces]).mean(0))
    some = prior_of(_encode, _batches(faces, 5), 5, None)
    assert (some.provenance["n"], sum(some.provenance[name] for name in ("female", "male", "unknown"))) == (5, 5)


def test_a_saved_prior_keeps_values_and_provenance(tmp_path):
    prior = prior_of(_encode, _batches(_faces([0, 1] * 10), 6), 12, seed=5)
    prior.save_pretrained(tmp_path)
    loaded = Network.from_pretrained(tmp_path)
    assert isinstance(loaded, FacePrior)
    assert torch.equal(loaded.z_p, prior.z_p)
    assert torch.equal(loaded.scale, prior.scale)
    assert json.loads((tmp_path / "config.json").read_text())["init_args"]["seed"] == 5
