"""A pipeline's test videos are measured by several processes at once, as by the tasks of an array in a chain."""

import os

import pytest
from forked_steps import open_forks
from small_pipelines import small_portrait_pipeline, small_talking_face_pipeline
from tiny_shards import tiny_shards

from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

ARRAY = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "2", "SLURM_ARRAY_TASK_COUNT": "2"}
CLIPS = 2


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_two_tasks_of_an_array_write_what_one_process_writes(tmp_path, monkeypatch):
    shards = tiny_shards(tmp_path / "shards", people=3 * CLIPS)
    pipeline = tmp_path / "pipeline"
    SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline()).save_pretrained(pipeline)
    words = ["evaluate", "pipeline", str(pipeline), "--shards", str(shards), "--steps", "2"]
    words += ["--metrics", "pixels", "--size", "64", "--out"]
    start = open_forks(monkeypatch)
    # All at once; the task that ends last merges.
    tasks = [("whole", {}), *(("parts", {**ARRAY, "SLURM_ARRAY_TASK_ID": number}) for number in "12")]
    log = str(tmp_path / "log")
    begun = [start([*words, str(tmp_path / out)], log, {**os.environ, **task}) for out, task in tasks]
    assert [process.wait() for process in begun] == [0, 0, 0], (tmp_path / "log").read_text()
    whole = files_of(tmp_path / "whole")
    for name in ("hrtf", "hrtf-scfp"):
        assert f"{name}/metrics.json" in whole
        assert len([path for path in whole if path.startswith(f"{name}/clips/pixels/")]) == CLIPS
        assert len([path for path in whole if path.startswith(f"{name}/videos/")]) == CLIPS
    # Records, results and videos, to the last byte.
    assert files_of(tmp_path / "parts") == whole
