"""`s2tf bench`: what it measures is there, with its floor and ratio; how fast it is, no test says."""

import json

import pytest
from video_folders import status

from datamodules.bench import measure
from s2tf.cli import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("batches", ["batches: frame pairs", "batches: speech-portrait pairs", "batches: motion sequences"]),
        ("storage", ["storage: packed JPEG, size", "storage: all-intra H.264, two random frames"]),
    ],
)
def test_each_number_comes_with_its_floor_and_ratio(tmp_path, monkeypatch, group, names):
    monkeypatch.setattr(measure, "SIZE", 64)
    monkeypatch.setattr(measure, "ROUNDS", 2)
    path = tmp_path / "bench.json"
    assert main(["bench", "data", "--only", group, "--seconds", "0.1", "--json", str(path)]) == 0
    entries = json.loads(path.read_text())
    assert set(names) <= set(entries)
    for entry in entries.values():
        assert {"measured", "floor", "ratio", "unit"} <= set(entry)
        assert min(entry["measured"], entry["floor"], entry["ratio"]) > 0


def test_more_clips_than_are_drawn_are_all_measured(tmp_path, monkeypatch, capsys):
    from s2tf.evaluation.videos import bench

    measured = []
    measure = bench.measure_clip
    monkeypatch.setattr(bench, "DIFFERENT", 2)
    monkeypatch.setattr(bench, "measure_clip", lambda pair, *more: measured.append(pair.key) or measure(pair, *more))
    arguments = ["--metrics", "lpips,pixels", "--frames", "4", "--size", "64"]
    assert main(["bench", "evaluate", *arguments, "--clips", "3", "--json", str(tmp_path / "b.json")]) == 0
    # The first one once more, before the clock runs.
    assert measured == ["0", "0", "1", "0"]
    assert status(["bench", "evaluate", *arguments, "--clips", "0"]) == 2
    assert "argument --clips: '0', expected a whole number from 1 to 1000" in capsys.readouterr().err


def test_metrics_without_a_network_have_nothing_to_stand_beside(capsys):
    arguments = ["--metrics", "pixels,sharpness", "--clips", "1", "--frames", "4", "--size", "64"]
    assert main(["bench", "evaluate", *arguments]) == 2
    assert "metrics pixels,sharpness: expected a metric with a network or a detector" in capsys.readouterr().err


def test_evaluation_is_measured_beside_its_networks(tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    path = tmp_path / "bench.json"
    arguments = ["--metrics", "lpips,pixels,landmarks", "--clips", "1", "--frames", "6", "--size", "64"]
    assert main(["bench", "evaluate", *arguments, "--json", str(path)]) == 0
    ((name, entry),) = json.loads(path.read_text()).items()
    assert "lpips, pixels, landmarks" in name
    # What the networks take is a part of the whole.
    assert 0 < entry["ratio"] < 1
    assert entry["floor"] > entry["measured"] > 0
