"""Shards on a node's own disk: the same batches, read from the copy."""

import os
import subprocess
import sys

import pytest
from tiny_shards import tiny_shards

from datamodules.shards.sources import ShardSource, open_source
from datamodules.shards.staging import stage
from datamodules.shards.writing import read_split


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards")


def test_a_staged_folder_is_read_in_place_of_the_one_that_the_config_names(shards, tmp_path, monkeypatch):
    before = open_source(ShardSource(str(shards))).split("train")
    monkeypatch.setenv("S2TF_SCRATCH", str(tmp_path))
    assert open_source(ShardSource(str(shards))).split("train").urls == before.urls
    copy = stage(shards, tmp_path)
    after = open_source(ShardSource(str(shards))).split("train")
    assert after.urls == [url.replace(str(shards), str(copy)) for url in before.urls]
    assert (after.counts == before.counts).all()
    assert [sample.key for sample in read_split(shards, "val")]


def test_data_that_were_prepared_again_are_not_read_from_the_copy_of_before(tmp_path, monkeypatch):
    shards = tiny_shards(tmp_path / "shards")
    monkeypatch.setenv("S2TF_SCRATCH", str(tmp_path / "scratch"))
    copy = stage(shards, tmp_path / "scratch")
    assert open_source(ShardSource(str(shards))).folder == str(copy)
    (shards / "manifest.json").write_text((shards / "manifest.json").read_text() + "\n")
    assert open_source(ShardSource(str(shards))).folder == str(shards)


def test_a_copy_that_was_cut_is_made_whole_and_a_changed_folder_is_copied_again(shards, tmp_path):
    copy = stage(shards, tmp_path)
    tar = next(copy.glob("train-*.tar"))
    whole = tar.read_bytes()
    # As a job leaves it that was killed while it copied: no manifest yet.
    tar.write_bytes(whole[:100])
    (copy / "manifest.json").unlink()
    stage(shards, tmp_path)
    assert tar.read_bytes() == whole
    manifest = (shards / "manifest.json").read_text()
    (shards / "manifest.json").write_text(manifest + "\n")
    assert (stage(shards, tmp_path) / "manifest.json").read_text() == manifest + "\n"


def test_a_script_that_was_queued_before_the_module_moved_still_stages(shards, tmp_path):
    command = [sys.executable, "-m", "datamodules.staging", str(shards)]
    done = subprocess.run(
        command, env={**os.environ, "S2TF_SCRATCH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{shards}: staged at {tmp_path}")
