"""Every experiment composes, validates and builds; every demo stage trains on what the stages before it left."""

import re
from pathlib import Path

import pytest

from s2tf.commands.codes import write_codes
from s2tf.commands.prior import write_prior
from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.runs import build, fit

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SHARED = {"trainer.yaml", "cpu.yaml"}
FILES = sorted(path for path in EXPERIMENTS.rglob("*.yaml") if path.name not in SHARED)
DEMO = ("conre", "scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion")
SHORT = ["trainer.max_steps=2", "data.init_args.batch_size=4", "data.init_args.num_workers=0"]


def demo(stage: str) -> Path:
    return EXPERIMENTS / "demo" / f"{stage}.yaml"


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """Two steps of every demo stage on a handful of synthetic speakers: variables for every experiment."""
    from datamodules.prepare.prepare import prepare
    from datamodules.prepare.synthetic.reader import SyntheticReader
    from s2tf.media.faces import CropRule

    root = tmp_path_factory.mktemp("chain")
    shards = root / "shards"
    reader = SyntheticReader(8, 1, 3.0, 128, seed=5, val=0.25, test=0.25)
    prepare(reader, shards, rule=CropRule(size=128), samples_per_shard=2)
    runs = root / "runs"
    data = f"vars.shards={shards}"
    conre = fit(demo("conre"), [*SHORT, data], runs)
    write_prior(demo("conre"), [*SHORT, data], runs, root / "prior", faces=None)
    variables = {
        "shards": str(shards),
        "conre": str(conre.run.networks),
        "prior": str(root / "prior"),
    }
    scfp = fit(demo("scfp"), [*SHORT, data, f"vars.conre={conre.run.networks}", f"vars.prior={root / 'prior'}"], runs)
    autoencoder = fit(demo("motion_autoencoder"), [*SHORT, data], runs)
    lips = fit(demo("lip_landmarks"), [*SHORT, data], runs)
    write_codes(shards, autoencoder.run.networks / "motion_autoencoder", root / "codes")
    motion = fit(demo("motion_diffusion"), [*SHORT, f"vars.shards={root / 'codes'}"], runs)
    results = {"conre": conre, "scfp": scfp, "motion_autoencoder": autoencoder}
    return {"variables": variables, "results": {**results, "lip_landmarks": lips, "motion_diffusion": motion}}


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


@pytest.mark.slow
@pytest.mark.parametrize("stage", DEMO)
def test_every_demo_stage_trains_and_hands_on_its_networks(chain, stage):
    result = chain["results"][stage]
    assert result.run.last_checkpoint is not None
    assert any(result.run.networks.iterdir())
    assert (result.run.folder / "config.yaml").is_file()


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
