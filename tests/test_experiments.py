"""Every experiment composes and builds, and a typo in it is refused; test_demo.py trains those of the demo."""

import gc
import re
from pathlib import Path

import pytest
from fit_ranks import InterruptAfter, InterruptionError, saving
from narrow_autoencoder import narrow_autoencoder
from tiny_shards import tiny_shards
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model
from undrawn import Undrawn

from datamodules.shards.sources import ShardSource
from s2tf.callbacks.ema import ExponentialMovingAverage, averaged_parameters
from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.face_prior import FacePrior
from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.nn.network import load_network
from s2tf.runs.build import build
from s2tf.runs.fit import fit

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
DEBUG = EXPERIMENTS / "debug"
SHARED = {"trainer.yaml", "cpu.yaml"}
OVERLAYS = ("debug", "small", "chains", "paper", "sweeps", "parts")
YAMLS = [path for path in sorted(EXPERIMENTS.rglob("*.yaml")) if path.parent.name not in OVERLAYS]
PRIORS = [path for path in YAMLS if path.stem == "prior" or path.parent.name in ("figure10", "figure11")]
FILES = [path for path in YAMLS if path.name not in SHARED and path not in PRIORS]
SECOND_STAGE = ("table10", "table11")
ROWS = [path for path in FILES if path.parent.parent.name == "ablations" and path.parent.name not in SECOND_STAGE]
SPEECH_WEIGHTS = "model.init_args.speech_features.init_args.weights"
LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 1, "intermediate_size": 8}
"""As wide as HuBERT-large, and shallow."""
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


@pytest.fixture(autouse=True)
def nothing_stays():
    """Networks of the paper's size hang in cycles of references: a few of them fill the memory."""
    yield
    gc.collect()


@pytest.mark.parametrize("path", [*FILES, *PRIORS], ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_every_experiment_composes_and_is_short(path):
    config = compose(path, completed(path, {}))
    assert ({"prior", "data"} if path in PRIORS else {"model", "data", "trainer", "seed_everything"}) <= set(config)
    if EXPERIMENTS / "ablations" in path.parents:
        assert len(path.read_text().splitlines()) <= 15


@pytest.fixture(scope="module", params=FILES, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def experiment(request, tmp_path_factory):
    """An experiment, with narrow networks of the stages before it in place of those that it asks for."""
    path, folder = request.param, tmp_path_factory.mktemp("networks")
    overrides = completed(path, {})
    if "vars.conre=random" in overrides:
        dim = compose(path, overrides)["model"]["init_args"]["diffusion"]["init_args"]["unet"]["init_args"]["dim"]
        SpeechEncoder(dim, width=1 / 64, hidden=8).save_pretrained(folder / "speech_encoder")
        FaceEncoder(dim, width=1 / 64, hidden=8, pooled=1).save_pretrained(folder / "face_encoder")
        FaceDecoder(dim, width=1 / 64).save_pretrained(folder / "face_decoder")
        FacePrior(dim).save_pretrained(folder / "prior")
    if "vars.motion_autoencoder=random" in overrides:
        narrow_autoencoder(256, codebook=False, space=True).save_pretrained(folder / "motion")
    if "vars.lia=random" in overrides:
        for name, part in narrow_autoencoder(256, codebook=False).named_children():
            part.save_pretrained(folder / "lia" / name)
    known = {
        "conre": str(folder),
        "speech_run": str(folder),
        "prior": str(folder / "prior"),
        "motion_autoencoder": str(folder / "motion"),
        "lia": str(folder / "lia"),
    }
    asked = {f"{SPEECH_WEIGHTS}=random", "vars.hubert=random"} & set(overrides)
    if asked and "HubertFeatures" in str(compose(path, overrides)):
        HubertModel(HubertConfig(**LARGE)).save_pretrained(folder / "hubert")
        known[SPEECH_WEIGHTS] = known["hubert"] = str(folder / "hubert")
    if "vars.wav2vec_large=random" in overrides:
        Wav2Vec2Model(Wav2Vec2Config(**LARGE)).save_pretrained(folder / "wav2vec")
        known["wav2vec_large"] = str(folder / "wav2vec")
    return path, completed(path, known)


@pytest.mark.slow
def test_every_experiment_builds(experiment):
    path, overrides = experiment
    one_cpu = ["accelerator=cpu", "devices=1", "strategy=auto", "precision=32-true", "logger=false"]
    with Undrawn():
        cli = build(compose(path, [*overrides, *(f"trainer.{setting}" for setting in one_cpu)]))
    assert any(parameter.requires_grad for parameter in cli.model.parameters())
    if any(isinstance(callback, ExponentialMovingAverage) for callback in cli.trainer.callbacks):
        assert averaged_parameters(cli.model)
    networks = cli.model.networks()
    assert networks
    if path.parent.name == "experiments":
        assert sum(network.parameter_count for network in networks.values()) > 3e6


@pytest.mark.parametrize("path", [demo(stage) for stage in DEMO], ids=DEMO)
@pytest.mark.parametrize("place", ["model.init_args", "data.init_args", "trainer"])
def test_a_typo_in_a_key_fails_with_its_name(path, place):
    with pytest.raises(UserError, match="lerning_rate"):
        build(compose(path, [*completed(path, {}), f"{place}.lerning_rate=1"]))


def test_a_required_value_that_is_missing_is_named():
    with pytest.raises(UserError, match=r"vars\.shards"):
        compose(demo("conre"))


MIXTURE = """
base: {base}
vars: {{shards: mixed}}
data:
  init_args:
    shards:
      - {{shards: avspeech, weight: 3}}
      - {{shards: "s3://bucket/vox/train-{{000000..000127}}.tar", manifest: vox.json, {last}: 0.5}}
"""


def test_a_mixture_of_data_sets_is_a_list_in_yaml(tmp_path):
    path = tmp_path / "mixture.yaml"
    path.write_text(MIXTURE.format(base=demo("conre"), last="weight"))
    shards = build(compose(path)).datamodule.shards
    assert shards[0] == ShardSource("avspeech", weight=3)
    assert shards[1] == ShardSource("s3://bucket/vox/train-{000000..000127}.tar", weight=0.5, manifest="vox.json")
    path.write_text(MIXTURE.format(base=demo("conre"), last="wieght"))
    with pytest.raises(UserError, match="wieght"):
        build(compose(path))


def debug_width(path: Path) -> str:
    """The overlay for an experiment of the first stage."""
    config = compose(path, missing="random")["model"]
    encoder = config["init_args"]["speech_encoder"]["class_path"].rpartition(".")[2]
    if config["class_path"].endswith("ConReStage"):
        return "conre_wav2vec" if encoder == "WaveformSpeechEncoder" else "conre"
    return "scfp_speech" if encoder == "SpeechEncoder" else "scfp"


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    """Shards, ConRe's networks at debug width and a prior."""
    folder = tmp_path_factory.mktemp("first")
    shards = tiny_shards(folder / "shards", seconds=2.0)
    debug = ["+" + str(EXPERIMENTS / "debug" / "conre.yaml"), f"vars.shards={shards}"]
    run = fit(EXPERIMENTS / "conre.yaml", debug, folder / "runs").run
    FacePrior(64).save_pretrained(folder / "prior")
    return {
        "shards": str(shards),
        "conre": str(run.networks),
        "speech_run": str(run.networks),
        "prior": str(folder / "prior"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", ROWS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_row_of_a_table_trains_at_debug_width(path, first_stage, tmp_path):
    overlay = "+" + str(EXPERIMENTS / "debug" / f"{debug_width(path)}.yaml")
    given = [f"vars.{name}={value}" for name, value in first_stage.items()]
    known = [setting for setting in given if setting.split("=")[0] in needed(path)]
    result = fit(path, [overlay, *known], tmp_path / "runs")
    assert result.metrics["train/loss"] == result.metrics["train/loss"]
    assert result.run.last_checkpoint is not None


@pytest.mark.slow
def test_the_rows_of_table_ten_train_at_debug_width_and_go_on(tmp_path):
    """First without codebook, then with it on the run before: the earlier parts stay, and come back when it goes on."""
    data = f"vars.shards={tiny_shards(tmp_path / 'shards', size=128)}"
    table = EXPERIMENTS / "ablations" / "table10"
    for first, second in (("baseline", "codebook"), ("lip_refiner", "both")):
        earlier = fit(
            table / f"{first}.yaml", ["+" + str(DEBUG / "motion_autoencoder.yaml"), data], tmp_path / "runs"
        ).run
        folder = earlier.networks / "motion_autoencoder"
        before = load_network(str(folder))
        overrides = ["+" + str(DEBUG / "codebook.yaml"), data, f"vars.motion_autoencoder={folder}"]
        with pytest.raises(InterruptionError):
            fit(table / f"{second}.yaml", overrides, tmp_path / "runs", [InterruptAfter(1)], saving(1))
        result = fit(table / f"{second}.yaml", overrides, tmp_path / "runs")
        after = load_network(str(result.run.networks / "motion_autoencoder"))
        assert (before.lip_refiner is None) == (first == "baseline")
        assert after.flow_generator.fingerprint() == before.flow_generator.fingerprint()
        assert after.output_size == 2 * before.output_size
        whole = fit(table / f"{second}.yaml", overrides, tmp_path / "whole").run.networks / "motion_autoencoder"
        assert load_network(str(whole)).fingerprint() == after.fingerprint()


@pytest.mark.slow
def test_syncnet_trains_at_debug_width_and_goes_on(tmp_path):
    data = f"vars.shards={tiny_shards(tmp_path / 'shards', size=72)}"
    experiment, overrides = EXPERIMENTS / "syncnet.yaml", ["+" + str(DEBUG / "syncnet.yaml"), data]
    with pytest.raises(InterruptionError):
        fit(experiment, overrides, tmp_path / "runs", [InterruptAfter(1)], saving(1))
    folders = [fit(experiment, overrides, tmp_path / runs).run.networks / "syncnet" for runs in ("runs", "whole")]
    resumed, whole = (load_network(str(folder)).fingerprint() for folder in folders)
    assert resumed == whole


def needed(path: Path) -> set[str]:
    return {override.partition("=")[0] for override in completed(path, {})}
