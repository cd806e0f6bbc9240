"""Figures 10 and 11 of priors that cannot be compared."""

import pytest
import torch

from s2tf.errors import UserError
from s2tf.models.face_prior import FacePrior
from s2tf.reporting.figures import prior_figure


def write_priors(folder, balanced, values):
    """Priors by share of women, each with the same value in all dimensions."""
    for balance, value in values.items():
        prior = FacePrior(dim=4, n=10, female=5, male=5, balance=balance, balanced=balanced)
        prior.z_p.copy_(torch.full((4,), value))
        prior.save_pretrained(folder / str(balance))
    return folder


def test_figure_11_of_equal_priors_is_refused(tmp_path):
    priors = write_priors(tmp_path / "priors", True, {1.0: 2.0, 0.5: 1.0, 0.0: 1.0})
    with pytest.raises(UserError, match=r"priors: the prior 0:100 equals the one .*L1 distance 0.*`s2tf attributes`"):
        prior_figure("figure11", priors, None, tmp_path / "out")


def test_figure_11_of_faces_of_unknown_gender_is_refused_also_where_they_differ(tmp_path):
    priors = write_priors(tmp_path / "priors", False, {1.0: 2.0, 0.5: 1.0, 0.0: 0.0})
    with pytest.raises(UserError, match=r"balanced: false.*`s2tf attributes`"):
        prior_figure("figure11", priors, None, tmp_path / "out")


def test_priors_of_different_faces_are_drawn(tmp_path):
    priors = write_priors(tmp_path / "priors", True, {1.0: 2.0, 0.5: 1.0, 0.0: 0.5})
    (tmp_path / "out").mkdir()
    rows = prior_figure("figure11", priors, None, tmp_path / "out")["rows"]
    assert [(row["prior"], row["l1"]) for row in rows] == [("100:0", 4.0), ("50:50", 0.0), ("0:100", 2.0)]
