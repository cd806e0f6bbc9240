"""Every experiment composes, and a typo in it is refused; tests/commands/test_demo.py trains those of the demo."""

import re
from pathlib import Path

import pytest

from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.runs import build

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SHARED = {"trainer.yaml", "cpu.yaml"}
FILES = sorted(path for path in EXPERIMENTS.rglob("*.yaml") if path.name not in SHARED)
DEMO = ("conre", "scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion")


def demo(stage: str) -> Path:
    return EXPERIMENTS / "demo" / f"{stage}.yaml"


def completed(path: Path, known: dict[str, str]) -> list[str]:
    """Overrides for all that an experiment leaves open; weights that no machine has are drawn at random."""
    overrides: list[str] = []
    while True:
        try:
            compose(path, overrides)
        except UserError as error:
            missing = re.search(r"add ([\w.]+)=VALUE", str(error))
            if missing is None:
                raise
            key = missing.group(1)
            overrides.append(f"{key}={known.get(key.removeprefix('vars.'), 'random')}")
        else:
            return overrides


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_every_experiment_composes_and_is_short(path):
    config = compose(path, completed(path, {}))
    assert {"model", "data", "trainer", "seed_everything"} <= set(config)
    if path.parent.name == "ablations":
        assert len(path.read_text().splitlines()) <= 15


@pytest.mark.parametrize("path", [demo(stage) for stage in DEMO], ids=DEMO)
@pytest.mark.parametrize("place", ["model.init_args", "data.init_args", "trainer"])
def test_a_typo_in_a_key_fails_with_its_name(path, place):
    with pytest.raises(UserError, match="lerning_rate"):
        build(compose(path, [*completed(path, {}), f"{place}.lerning_rate=1"]))


def test_a_required_value_that_is_missing_is_named():
    with pytest.raises(UserError, match=r"vars\.shards"):
        compose(demo("conre"))
