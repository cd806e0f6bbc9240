"""Run folders, known before the run, and checks of a config that build nothing."""

import copy
from pathlib import Path

import pytest

from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.runs.build import build
from s2tf.runs.folder import CONFIG_FILE, QUEUED_FILE, find_run, read_config, wandb_id, write_config

CONRE = EXPERIMENTS / "conre.yaml"
GIVEN = ["vars.shards=here", "vars.weights=random", "vars.lpips=random"]


def test_a_run_s_folder_is_known_before_it_is_made(tmp_path):
    found = find_run(CONRE, GIVEN, tmp_path)
    assert not found.folder.exists()
    assert find_run(CONRE, [*GIVEN, "trainer.devices=2"], tmp_path).folder == found.folder
    assert find_run(CONRE, [*GIVEN, "seed_everything=1"], tmp_path).folder != found.folder


@pytest.mark.parametrize("name", [CONFIG_FILE, QUEUED_FILE])
def test_the_config_of_a_run_folder_belongs_to_that_folder_whatever_has_become_of_its_experiment(tmp_path, name):
    run = find_run(CONRE, GIVEN, tmp_path)
    write_config(run, name)
    assert read_config(run.folder) == run.config
    again = find_run(run.folder / name, ["trainer.devices=2"], "elsewhere")
    assert (again.folder, again.experiment, again.tags) == (run.folder.resolve(), "conre", run.tags)
    other = find_run(run.folder / name, ["seed_everything=1"], "elsewhere")
    assert Path("elsewhere") in other.folder.parents


def test_a_config_is_checked_without_building_networks_of_the_paper_s_size(monkeypatch):
    monkeypatch.setattr("torch.nn.Conv2d.__init__", lambda *_, **__: pytest.fail("was built"))
    config = find_run(CONRE, GIVEN).config
    build(config, instantiate=False)
    # The parser changes lists in their place: a run's config and name must not follow it.
    scfp = compose(EXPERIMENTS / "scfp.yaml", missing="random")
    before = copy.deepcopy(scfp)
    build(scfp, instantiate=False)
    assert scfp == before
    config["model"]["init_args"]["face_encoder"]["init_args"]["widht"] = 1
    with pytest.raises(UserError, match="widht"):
        build(config, instantiate=False)


def test_a_trial_s_run_has_the_id_that_the_agent_drew(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "drawn")
    assert wandb_id(tmp_path) == "drawn"
    monkeypatch.delenv("WANDB_RUN_ID")
    assert wandb_id(tmp_path) == "drawn"


@pytest.mark.parametrize("name", ["conre.yaml", "demo/conre.yaml"])
def test_a_short_name_has_the_run_folder_of_the_path(tmp_path, monkeypatch, name):
    by_path = find_run(EXPERIMENTS / name, GIVEN, tmp_path)
    monkeypatch.chdir(tmp_path)
    by_name = find_run(name, GIVEN, tmp_path)
    assert (by_name.folder, by_name.experiment, by_name.tags) == (by_path.folder, by_path.experiment, by_path.tags)


def test_a_run_folder_from_before_a_key_was_renamed_is_that_run_and_trains(tmp_path):
    given = ["vars.shards=here", "vars.vgg=random"]
    run = find_run(EXPERIMENTS / "motion_autoencoder.yaml", given, tmp_path)
    write_config(run)
    path = run.folder / CONFIG_FILE
    path.write_text(path.read_text().replace("      motion_reader: ", "      reading: "))
    assert "      reading: " in path.read_text()
    again = find_run(path)
    assert (again.folder, again.config) == (run.folder.resolve(), run.config)
    assert read_config(run.folder) == run.config
    build(again.config, instantiate=False)
