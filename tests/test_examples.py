"""The scripts of examples/, each run with tiny inputs as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaged_files import packaged_stand_in
from small_pipelines import coloured_noise
from tiny_shards import tiny_shards
from video_folders import talking, write

from s2tf.media.audio import write_wav

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def run(script: str, *words: object) -> str:
    """Run a script; returns its output."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, words)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards")


@pytest.mark.slow
def test_speech_becomes_a_video_by_the_packaged_pipeline_or_another(tmp_path, monkeypatch):
    for name, value in packaged_stand_in(tmp_path / "packaged").items():
        monkeypatch.setenv(name, value)
    assert "125 frames" in run("pipeline_to_video.py", tmp_path / "talking.mp4")
    assert (tmp_path / "talking.mp4").stat().st_size > 0
    write_wav(tmp_path / "speech.wav", coloured_noise(1.0))
    given = ["--speech", tmp_path / "speech.wav", "--pipeline", tmp_path / "packaged" / "speech_to_talking_face"]
    assert "25 frames" in run("pipeline_to_video.py", tmp_path / "talking.mp4", *given)


@pytest.mark.slow
def test_a_stage_is_trained_from_python(shards, tmp_path):
    printed = run("train_a_stage.py", shards, "--runs", tmp_path / "runs")
    assert "2 steps" in printed
    assert "embedding" in printed


@pytest.mark.slow
def test_two_arms_are_trained_by_overrides(shards, tmp_path):
    printed = run("ablate.py", shards, "--steps", 1, "--seeds", 1, "--runs", tmp_path / "runs")
    assert printed.count("over 1 seeds") == 2
    assert len(list((tmp_path / "runs" / "conre").iterdir())) == 2


@pytest.mark.slow
def test_a_folder_of_videos_is_measured(tmp_path):
    write(tmp_path / "generated" / "a.mp4", talking(0))
    write(tmp_path / "reference" / "a.mp4", talking(1))
    printed = run("evaluate_folder.py", tmp_path / "generated", tmp_path / "reference", "--out", tmp_path / "out")
    assert "PSNR" in printed
    assert (tmp_path / "out" / "metrics.json").is_file()


@pytest.mark.slow
def test_a_metric_is_used_in_a_loop_of_one_s_own():
    assert "PSNR" in run("metric_in_a_loop.py", "--batches", 2)


def test_every_script_is_run_by_a_test_and_named_in_the_documentation():
    tests, page = Path(__file__).read_text(), (ROOT / "docs" / "how-to" / "python.md").read_text()
    assert [script for script in SCRIPTS if f'"{script}"' not in tests or script not in page] == []
