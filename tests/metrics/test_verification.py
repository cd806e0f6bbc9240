import itertools

import numpy as np
import pytest
import torch

from s2tf.metrics.verification import PairCosines, compare_separations, summarise


def features(people, pictures, noise, seed=0):
    """Pictures of each person around the person's own direction."""
    rng = np.random.default_rng(seed)
    persons = rng.normal(size=(people, 1, 32))
    found = persons + noise * rng.normal(size=(people, pictures, 32))
    return torch.from_numpy(found.reshape(-1, 32)), [person for person in range(people) for _ in range(pictures)]


def test_every_pair_of_pictures_is_counted_once():
    found, people = features(4, 3, noise=0.5)
    found, people = found[:-2], people[:-2]  # One person has a single picture.
    same, different = [], []
    for (one, first), (other, second) in itertools.combinations(zip(found.numpy(), people, strict=True), 2):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        (same if first == second else different).append(cosine)
    summary = summarise(PairCosines.of_features(found, people))
    assert (summary.same, summary.different) == pytest.approx((np.mean(same), np.mean(different)))
    spread = np.sqrt((np.var(same) + np.var(different)) / 2)
    assert summary.separation == pytest.approx((np.mean(same) - np.mean(different)) / spread)


def test_the_better_features_are_told_and_equal_ones_are_not():
    (good, people), (bad, _) = (features(12, 3, noise) for noise in (0.3, 2.0))
    good, bad, again = (PairCosines.of_features(one, people) for one in (good, bad, 3 * good))
    margin = compare_separations(good, bad)
    assert margin.low < margin.value < margin.high
    assert (margin.sign, compare_separations(bad, good).sign, compare_separations(good, again).sign) == (1, -1, 0)
