"""An evaluation that has not ended: what is in its folder is of no other system."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from video_folders import evaluate, read, rows, talking, write

from s2tf.cli import BUG_STATUS, main
from s2tf.evaluation import result_files
from s2tf.evaluation.videos import evaluate as evaluate_videos

RESULTS = {"metrics.json", "clips.csv", "failures.csv"}
KILLED = """
import os, signal, sys
from s2tf.evaluation.videos import evaluate as evaluate_videos

measure = evaluate_videos.measure_clip

def measure_clip(pair, *rest):
    if pair.key == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(pair, *rest)

evaluate_videos.measure_clip = measure_clip
from s2tf.cli import BUG_STATUS, main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def folders(tmp_path):
    """Three clips by two systems; `out` has the results of the first, with a clip that failed."""
    for number, key in enumerate("abc"):
        write(tmp_path / "true" / f"{key}.mp4", talking(number))
        for shift, name in enumerate(("first", "second"), start=1):
            write(tmp_path / name / f"{key}.mp4", talking(number + shift))
    assert evaluate(tmp_path, *out(tmp_path), made="first") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == RESULTS | {"clips"}
    return tmp_path


def out(folder):
    return ["--out", str(folder / "out"), "--json", str(folder / "copy.json")]


def results(folder):
    return {path.name for path in (folder / "out").iterdir() if path.is_file()}


def test_a_share_takes_the_results_of_another_system_away(folders, capsys):
    assert evaluate(folders, *out(folders), "--part", "1/2", made="second") == 0
    assert results(folders) == set()
    assert not (folders / "copy.json").exists()
    assert (
        main(["report", "table", "table8", "--results", f"B={folders / 'out'}", "--runs", str(folders / "none")]) == 2
    )
    assert "metrics.json is missing" in " ".join(capsys.readouterr().err.split())
    assert evaluate(folders, *out(folders), "--part", "2/2", made="second") == 0
    assert results(folders) == RESULTS
    assert read(folders / "out")["experiment"] == "second"


@pytest.mark.slow
def test_a_kill_leaves_nothing_of_another_system_and_what_was_measured(folders):
    words = [
        "evaluate",
        "videos",
        str(folders / "second"),
        str(folders / "true"),
        "--metrics",
        "pixels",
        "--size",
        "64",
    ]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words, *out(folders)], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert results(folders) == set()
    measured = []
    measure_clip = evaluate_videos.measure_clip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evaluate_videos, "measure_clip", lambda pair, *rest: measured.append(pair.key) or measure_clip(pair, *rest)
        )
        assert evaluate(folders, *out(folders), made="second") == 0
    assert measured == ["b", "c"]
    assert read(folders / "out")["experiment"] == "second"
    assert [row["clip"] for row in rows(folders / "out" / "clips.csv")] == ["a", "b", "c"]


def test_a_wrong_command_takes_nothing_away(folders):
    before = read(folders / "out")
    assert evaluate(folders, *out(folders), "--metrics", "psnr", made="second") == 2
    assert evaluate(folders, *out(folders), "--size", "1", made="second") == 2
    assert results(folders) == RESULTS
    assert read(folders / "out") == before


def test_a_table_of_pairs_is_not_taken_for_a_result_of_before(folders, capsys):
    table = folders / "clips.csv"
    table.write_text("generated,reference\nsecond/a.mp4,true/a.mp4\n")
    for words in (["--out", folders], ["--out", folders / "new", "--json", table]):
        assert main(["evaluate", "videos", str(table), "--metrics", "pixels", "--size", "64", *map(str, words)]) == 2
        assert f"{table}: the results would overwrite this input" in " ".join(capsys.readouterr().err.split())
    assert table.read_text().startswith("generated,reference")


def test_a_folder_that_may_not_be_entered_is_named(folders, capsys, monkeypatch):
    """Which root always may: what the system says is put in its place."""
    exists = Path.exists

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    assert evaluate(folders, "--out", str(folders / "closed"), made="second") == 2
    assert f"--out {folders / 'closed'}: Permission denied" in " ".join(capsys.readouterr().err.split())


def test_of_a_pipeline_both_configurations_are_taken_away_when_the_first_begins(folders, monkeypatch):
    from s2tf.evaluation.videos import evaluate_pipeline, pipeline_clips
    from s2tf.evaluation.videos.find_pairs import find_pairs

    pairs = find_pairs(folders / "second", folders / "true").pairs
    pipeline = SimpleNamespace(random_weights=(), generates_portrait=True, code_choice=None, crop_rule=None)
    monkeypatch.setattr(pipeline_clips, "open_pipeline", lambda *_: pipeline)
    monkeypatch.setattr(evaluate_pipeline, "fingerprint_of", lambda _: "x")
    monkeypatch.setattr(pipeline_clips, "clips_with_sound", lambda *_: [])
    monkeypatch.setattr(evaluate_pipeline, "generated_pairs", lambda *_: pairs)
    words = ["evaluate", "pipeline", str(folders), "--shards", "s", "--metrics", "pixels", "--size", "64"]
    words += ["--out", str(folders / "both"), "--json", str(folders / "both.json")]
    assert main(words) == 0
    files = [folders / "both" / name / "metrics.json" for name in ("hrtf", "hrtf-scfp")]
    files += [folders / f"both-{name}.json" for name in ("hrtf", "hrtf-scfp")]
    assert all(file.is_file() for file in files)
    monkeypatch.setattr(evaluate_videos, "evaluate_videos", lambda *_: 1 / 0)
    assert main(words) == BUG_STATUS
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize("when", ["begins", "measures"])
def test_of_processes_at_once_one_that_comes_late_takes_nothing_away(folders, monkeypatch, when):
    """The second part ends, and merges, while the first one begins or measures its last clip."""
    assert evaluate(folders, *out(folders), "--part", "1/2", made="second") == 0
    kept = folders / "out" / "clips" / "pixels" / "a.safetensors"
    if when == "measures":
        kept.unlink()
    module, other = {"begins": (result_files, "discard_results"), "measures": (evaluate_videos, "measure_clip")}[when]
    unchanged, inside = getattr(module, other), []

    def meanwhile(*arguments):
        if not inside:
            inside.append(True)
            assert evaluate(folders, *out(folders), "--part", "2/2", made="second") == 0
            assert results(folders) == (RESULTS if when == "begins" else set())
        return unchanged(*arguments)

    monkeypatch.setattr(module, other, meanwhile)
    assert evaluate(folders, *out(folders), "--part", "1/2", made="second") == 0
    assert inside
    assert results(folders) == RESULTS
    record = read(folders / "out")
    assert (record["experiment"], record["measurements"]["PSNR"]["counts"]["clips"]) == ("second", 3)
    assert (folders / "copy.json").exists()
