"""Arms of an ablation as they are written on the command line of `s2tf evaluate arms`."""

from pathlib import Path

import pytest

from s2tf.errors import UserError
from s2tf.evaluation.videos.arms import read_arms


def test_an_arm_replaces_the_shared_runs():
    shared = {"lip_landmarks": Path("lips"), "motion_autoencoder": Path("shared")}
    arms = read_arms([["both"], ["baseline", "motion-autoencoder=a=b", "motion_diffusion=m"]], shared)
    assert list(arms) == ["both", "baseline"]
    assert arms["both"].runs == shared
    changed = {"motion_autoencoder": Path("a=b"), "motion_diffusion": Path("m")}
    assert arms["baseline"].runs == {**shared, **changed}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([["motion-diffusion=m"]], "expected a name"),
        ([["a/b", "motion-diffusion=m"]], "expected a name"),
        ([["a", "motion=m"]], "'motion=m', expected RUN=FOLDER with a run of scfp"),
        ([["a", "motion-diffusion="]], "expected RUN=FOLDER"),
        ([["a"], ["a"]], "given twice"),
        ([["a"], ["A"]], "--arm A: given twice, expected different names"),
        ([[""]], "--arm '': expected a name"),
        ([["a" * 300]], "a name of 300 bytes, expected at most 200"),
        ([["a", "scfp=x", "scfp=y"]], "--arm a: scfp is given twice, x and y, expected it once"),
    ],
)
def test_a_wrong_arm_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        read_arms(given, {})
