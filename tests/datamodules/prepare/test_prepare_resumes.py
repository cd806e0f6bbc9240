"""A preparation that is killed, divided or run again ends with the same bytes as an unbroken one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prepare_child import PEOPLE, run

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import GROUPS, prepare
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.writing import read_shard
from s2tf.faces.crop import CropRule

CHILD = Path(__file__).parents[2] / "support" / "prepare_child.py"
KILLS = 20


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken")
    run(out)
    return contents(out)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def start(out, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(CHILD), str(out), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True)
    assert process.stdout.readline() == "start\n"
    return process


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_ends_with_the_same_bytes(unbroken, tmp_path):
    rng = random.Random(0)
    out = tmp_path / "out"
    for kill in range(KILLS):
        process = start(out, 1, 1, 2 if kill % 5 == 0 else 1)
        time.sleep(rng.uniform(0.0, 0.35 if kill % 5 else 3.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for path in out.glob("*.tar"):
            assert 1 <= len(list(read_shard(path))) <= 2, f"{path} is half written after kill {kill}"
    process = start(out)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert contents(out) == unbroken


@pytest.mark.slow
def test_parts_in_any_order_give_the_same_bytes_and_the_last_one_the_manifest(unbroken, tmp_path):
    summaries = [run(tmp_path, part, 4) for part in (3, 1, 4)]
    assert not (tmp_path / "manifest.json").exists()
    assert all(0 < summary.recordings < PEOPLE for summary in summaries)
    assert run(tmp_path, 2, 4).recordings == PEOPLE
    assert contents(tmp_path) == unbroken


@pytest.mark.slow
def test_a_finished_folder_is_left_as_it_is_and_other_settings_are_refused(unbroken, tmp_path):
    first = run(tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = run(tmp_path)
    assert again.to_json() == first.to_json()
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert contents(tmp_path) == unbroken
    reader = SyntheticReader(2, 1, 1.2, 64, seed=3)
    with pytest.raises(ValueError, match="holds shards of other recordings or splits: expected"):
        prepare(reader, tmp_path, ClipSettings(CropRule(size=64)))


def test_an_unfinished_folder_of_other_settings_is_refused_too(tmp_path):
    run(tmp_path, 1, 4)
    assert (tmp_path / GROUPS).is_dir()
    with pytest.raises(ValueError, match="holds shards of other recordings or splits: expected"):
        prepare(SyntheticReader(2, 1, 1.2, 64, seed=3), tmp_path, ClipSettings(CropRule(size=64)))


@pytest.mark.parametrize("parts", [4, 1], ids=["unfinished", "finished"])
def test_another_setting_is_named_with_both_values(tmp_path, parts):
    reader = SyntheticReader(2, 1, 1.2, 64, seed=3)
    prepare(reader, tmp_path, ClipSettings(CropRule(size=64), portraits=2), part=(1, parts))
    for portraits, wanted in ((3, "3"), (None, "none")):
        settings = ClipSettings(CropRule(size=64), portraits=portraits)
        with pytest.raises(ValueError, match=f"holds shards with settings.portraits 2, not {wanted}: exp"):
            prepare(reader, tmp_path, settings)


def test_a_folder_of_an_earlier_version_whose_plan_names_no_settings_is_refused(tmp_path):
    (tmp_path / GROUPS).mkdir()
    (tmp_path / GROUPS / "plan.json").write_text('{"plan": "0"}')
    with pytest.raises(ValueError, match="holds shards of other recordings or settings: expected another folder"):
        prepare(SyntheticReader(2, 1, 1.2, 64, seed=3), tmp_path, ClipSettings(CropRule(size=64)))


@pytest.mark.parametrize("part", [(0, 4), (5, 4)])
def test_a_part_that_does_not_exist_is_refused(tmp_path, part):
    with pytest.raises(ValueError, match=f"part {part[0]} of 4"):
        run(tmp_path, *part)
