"""Results of evaluations of videos: what could not be computed, and their way into reports and W&B."""

import json
import shutil

import pytest
from video_folders import FRAMES, evaluate, noisy, read, rows, talking, write

from s2tf.cli import main
from s2tf.media.video import read_video


@pytest.mark.slow
def test_all_metrics_run_with_random_networks_and_say_so(folders, capsys):
    (folders / "weights").mkdir()
    arguments = [str(folders / "made"), str(folders / "true"), "--size", "64", "--clips", "2"]
    wanted = ["--metrics", "lpips,pixels,fid,sharpness", "--weights", str(folders / "weights")]
    assert main(["evaluate", "videos", *arguments, *wanted, "--out", str(folders / "without")]) == 3
    record = read(folders / "without")
    assert sorted(record["not_computed"]) == ["fid", "lpips"]
    assert "alexnet-owt-7be5be79.pth" in record["not_computed"]["lpips"]
    assert "LPIPS" not in record["measurements"]
    assert record["random_weights"] == []
    assert "not computed: lpips: no alexnet" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "videos", *arguments, *wanted, "--out", str(folders / "with"), "--allow-random"]) == 0
    record = read(folders / "with")
    assert record["random_weights"] == ["lpips", "fid"]
    for name in ("LPIPS", "FID"):
        one = record["measurements"][name]
        assert "RANDOM WEIGHTS" in one["protocol"].values()
        assert one["value"] > 0
        assert one["truth"] == 0
    assert record["measurements"]["FID"]["counts"]["frames"] == 2 * FRAMES + 1 - 2
    assert "their covariance is singular" in record["warnings"][0]
    shown = " ".join(capsys.readouterr().out.split())
    assert "RANDOM WEIGHTS: lpips, fid" in shown
    assert "warning: FID of" in shown
    assert f"│ FID of {2 * FRAMES + 1 - 2} frames ↓ │" in shown


def test_where_nothing_can_be_computed_the_json_says_why(folders, capsys):
    (folders / "weights").mkdir()
    (folders / "made" / "b.mp4").unlink()
    wanted = ["--metrics", "sync,lpips,fid,mad,identity", "--weights", str(folders / "weights")]
    assert evaluate(folders, *wanted, "--json", str(folders / "copy.json")) == 3
    record = read(folders / "made-evaluation")
    assert record == json.loads((folders / "copy.json").read_text())
    assert record["measurements"] == {}
    assert [one["clip"] for one in record["failures"]] == ["b"]
    # The file, its content, and where it is available.
    ways = {
        "sync": ("syncnet_v2.model", "https://github.com/joonson/syncnet_python"),
        "lpips": ("alexnet-owt-7be5be79.pth", "https://github.com/pytorch/vision"),
        "fid": ("weights-inception-2015-12-05-6726825d.pth", "https://github.com/toshas/torch-fidelity"),
        "mad": ("raft_large_C_T_SKHT_V2-ff5fadd5.pth", "https://github.com/pytorch/vision"),
        "identity": ("vgg_face_dag.pth", "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html"),
    }
    assert set(record["not_computed"]) == set(ways)
    for name, (file, page) in ways.items():
        reason = record["not_computed"][name]
        assert f"no {file} in {folders / 'weights'}" in reason
        assert page in reason
    assert [row["clip"] for row in rows(folders / "made-evaluation" / "clips.csv")] == ["a", "b", "deep/c"]
    assert "not computed: lpips: no alexnet" in capsys.readouterr().out


def test_results_say_of_which_references_they_are(folders):
    """So that two systems are not compared on different clips; what a system left out does not change it."""
    assert evaluate(folders) == 0
    whole = read(folders / "made-evaluation")["protocol"]
    (folders / "made" / "a.mp4").unlink()
    assert evaluate(folders) == 3
    assert read(folders / "made-evaluation")["protocol"] == whole
    write(folders / "true" / "a.mp4", talking(5))
    assert evaluate(folders) == 3
    assert read(folders / "made-evaluation")["protocol"]["references"] != whole["references"]


def test_a_report_does_not_prefer_the_system_that_left_out_its_hard_clip(folders, tmp_path):
    hard = read_video(folders / "true" / "b.mp4").frames
    write(folders / "made" / "b.mp4", noisy(hard, 60.0))
    shutil.copytree(folders / "made", folders / "lacking")
    (folders / "lacking" / "b.mp4").unlink()
    assert evaluate(folders, "--metrics", "pixels,sharpness") == 0
    assert evaluate(folders, made="lacking") == 3
    whole, lacking = (read(folders / f"{name}-evaluation")["measurements"]["PSNR"] for name in ("made", "lacking"))
    assert lacking["value"] > whole["value"]
    given = [f"--results={name}={folders / name}-evaluation" for name in ("made", "lacking")]
    assert (
        main(["report", "table", "table8", "--runs", str(tmp_path / "no"), *given, "--out", str(tmp_path / "report")])
        == 0
    )
    text = (tmp_path / "report" / "table8.md").read_text()
    assert "| lacking | ours (1 run, 2 of 3 clips) |" in text
    assert not [line for line in text.splitlines() if "ours (1 run" in line and "**" in line]
    (copied,) = [line for line in text.splitlines() if "| source frame copied |" in line]
    assert f"| {whole['baseline']:.2f} |" in copied


def test_the_numbers_come_back_from_wandbs_files(folders):
    from s2tf.reporting.wandb_records import read_offline

    assert evaluate(folders, "--wandb", "talking", "--seed", "7") == 0
    (run,) = read_offline(folders / "made-evaluation").runs
    assert run.record == read(folders / "made-evaluation")
    assert run.seed == 7


def test_a_metric_without_any_clip_is_not_computed_and_why(folders):
    write(folders / "one" / "a.mp4", talking(0, 1))
    write(folders / "one-true" / "a.mp4", talking(0, 1))
    assert evaluate(folders, made="one", true="one-true") == 3
    record = read(folders / "one-evaluation")
    assert record["measurements"] == {}
    assert record["not_computed"] == {"pixels": "no clip of 1 could be measured"}
