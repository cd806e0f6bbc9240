"""Tags, lineage and the section `tracking`, without a training."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_networks import Inner

from s2tf.config import EXPERIMENTS, compose, identity_hash
from s2tf.errors import UserError
from s2tf.provenance.facts import facts, manifest_hash, tags
from s2tf.provenance.lineage import find_inputs, networks_item, write
from s2tf.runs.tracking import Tracking, callbacks

CONFIG = {"seed_everything": 1, "model": {"class_path": "s2tf.stages.scfp.SCFPStage"}}


def test_an_ablation_is_found_by_its_table_row_overlays_and_seed():
    path = EXPERIMENTS / "ablations" / "table5" / "attention.yaml"
    found = tags(path, ["vars.shards=s", f"+{EXPERIMENTS}/debug/scfp.yaml"], CONFIG)
    assert found == ("scfp", "table5", "table5-attention", "debug/scfp", "seed-1")
    assert tags(path, ["+width=none", f"+width={EXPERIMENTS}/debug/scfp.yaml"], CONFIG) == found
    assert tags(EXPERIMENTS / "scfp.yaml", [], CONFIG) == ("scfp", "seed-1")
    assert all(len(tag) <= 64 for tag in tags(Path("experiments") / f"{'x' * 80}.yaml", [], CONFIG))


def test_tracking_does_not_make_another_run():
    path = EXPERIMENTS / "conre.yaml"
    plain, other = (
        compose(path, ["tracking.samples_every=7", *more], missing="random") for more in ([], ["tracking.upload=true"])
    )
    assert other["tracking"] == {"samples_every": 7, "upload": True}
    assert identity_hash(plain) == identity_hash(other)


def test_a_stage_that_sets_the_list_of_callbacks_keeps_what_every_run_keeps():
    config = compose(EXPERIMENTS / "scfp.yaml", missing="random")
    assert [one["class_path"].split(".")[-1] for one in config["trainer"]["callbacks"]] == ["ExponentialMovingAverage"]
    assert Tracking.parse(config["tracking"]) == Tracking(samples_every=5000)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"sample_every": 1}, "tracking.sample_every: unknown key, expected one of throughput, samples_every"),
        ({"samples_every": 1.5}, "tracking.samples_every is 1.5, expected a whole number, at least 0"),
        ({"samples": 0}, "tracking.samples is 0, expected a whole number, at least 1"),
        ({"upload": 1}, "tracking.upload is 1, expected true or false"),
        ({"autoencoder": 3}, "tracking.autoencoder is 3, expected a folder"),
        ([], "tracking is [], expected a mapping"),
    ],
)
def test_a_wrong_section_names_its_key(section, message):
    with pytest.raises(UserError) as error:
        Tracking.parse(section)
    assert message in str(error.value)


def test_an_autoencoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"tracking\.autoencoder is 'nowhere', expected an existing folder"):
        callbacks({"tracking": {"autoencoder": "nowhere"}}, "motion_diffusion", tmp_path)


def source(folder, manifest, local=True):
    return SimpleNamespace(
        source=SimpleNamespace(shards=str(folder)), folder=str(folder), manifest=manifest, local=local
    )


def test_inputs_are_found_by_their_contents_wherever_they_lie(tmp_path, monkeypatch):
    """A run's networks are one item; a network that lies elsewhere and a file of weights are their own."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for folder in ("runs/conre/1234", "elsewhere/conre/5678"):
        Inner(3).save_pretrained(tmp_path / folder / "networks" / "encoder")
        write(tmp_path / folder, "conre", [], [])
        torch.manual_seed(0)
    Inner(2).save_pretrained(tmp_path / "prior")
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    (tmp_path / "ddim").write_text("no input: a word of the config")
    arguments = {
        "encoder": {"init_args": {"folder": str(tmp_path / "runs/conre/1234/networks/encoder")}},
        "again": str(tmp_path / "runs/conre/1234/networks/encoder"),
        "prior": ["./prior"],
        "weights": "vgg.pth",
        "sampler": "ddim",
        "missing": "nothing/here.pth",
    }
    data = SimpleNamespace(sources=[source(tmp_path, {"clips": 2}), source("s3://bucket/vox", {"clips": 3}, False)])
    found = {item.name: item for item in find_inputs({"model": arguments}, data)}
    kinds = {name: item.kind for name, item in found.items()}
    assert kinds == {
        tmp_path.name: "dataset",
        "vox": "dataset",
        "conre": "networks",
        "prior": "network",
        "vgg.pth": "weights",
    }
    assert found["vox"].files == {}
    assert found["vox"].fingerprint == manifest_hash({"clips": 3})
    copied = networks_item(tmp_path / "elsewhere/conre/5678/networks", "conre")
    assert copied.fingerprint == found["conre"].fingerprint
    (tmp_path / "elsewhere/conre/5678/networks/encoder/config.json").write_text("{}")
    assert networks_item(tmp_path / "elsewhere/conre/5678/networks", "conre").fingerprint != copied.fingerprint


def test_lineage_goes_back_to_the_beginning(tmp_path):
    first, second = tmp_path / "conre" / "1", tmp_path / "scfp" / "2"
    Inner(3).save_pretrained(first / "networks" / "encoder")
    second.mkdir(parents=True)
    data = find_inputs({}, SimpleNamespace(sources=[source("faces", {"clips": 2}, False)]))
    write(first, "conre", data, [])
    write(second, "scfp", find_inputs({"model": str(first / "networks" / "encoder")}, None), [])
    (used,) = json.loads((second / "lineage.json").read_text())["inputs"]
    assert (used["name"], used["made_of"][0]["name"]) == ("conre", "faces")


def test_the_state_of_the_code_is_told_where_it_is_known(tmp_path):
    stage = SimpleNamespace(parameters=lambda: [torch.nn.Parameter(torch.zeros(3))], networks=dict)
    assert facts(CONFIG, tmp_path, stage, None)["git"] is None
    (tmp_path / "git.json").write_text('{"commit": "abc", "dirty": true}')
    told = facts(CONFIG, tmp_path, stage, None)
    assert told["git"] == {"commit": "abc", "dirty": True}
    assert told["config"] == CONFIG
    # A sweep's parameter, which W&B locks.
    assert "experiment" not in told
    assert told["parameters"] == {"total": 3, "trained": 3}
