"""The scripts of examples/, each run with tiny inputs as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline
from tiny_shards import tiny_shards
from video_folders import talking, write

from s2tf.media.audio import write_wav
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

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
def test_a_pipeline_folder_becomes_a_video(tmp_path):
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(tmp_path / "pipeline")
    write_wav(tmp_path / "speech.wav", coloured_noise(1.0))
    printed = run("pipeline_to_video.py", tmp_path / "pipeline", tmp_path / "speech.wav", tmp_path / "talking.mp4")
    assert "25 frames" in printed
    assert (tmp_path / "talking.mp4").stat().st_size > 0


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
