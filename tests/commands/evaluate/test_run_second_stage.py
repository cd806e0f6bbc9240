"""The second stage from shards to Table X, at debug width."""

import csv
import json
from pathlib import Path

import pytest
import torch
from narrow_autoencoder import narrow_autoencoder
from packaged_files import judges_stand_in
from tiny_shards import tiny_shards
from video_folders import status

from s2tf.cli import main
from s2tf.runs.fit import fit

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
DEBUG = EXPERIMENTS / "debug"
TEST_PEOPLE = 3
READERS = ["--faces", "judges", "--landmarks", "judges", "--perceptual", "judges", "--pictures", "2"]

pytestmark = pytest.mark.slow


def table10(row):
    return EXPERIMENTS / "ablations" / "table10" / f"{row}.yaml"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two rows of Table X, and motion diffusion on the codes of the first."""
    folder = tmp_path_factory.mktemp("study")
    shards = tiny_shards(folder / "shards", people=3 * TEST_PEOPLE, seconds=2.4, size=128)
    data, runs = f"vars.shards={shards}", folder / "runs"
    first = fit(table10("lip_refiner"), [f"+{DEBUG / 'motion_autoencoder.yaml'}", data], runs).run
    network = first.networks / "motion_autoencoder"
    fit(table10("both"), [f"+{DEBUG / 'codebook.yaml'}", data, f"vars.motion_autoencoder={network}"], runs)
    assert main(["codes", str(shards), "--autoencoder", str(network), "--out", str(folder / "codes")]) == 0
    lips = [f"+{EXPERIMENTS / 'small' / 'lip_landmarks.yaml'}", "trainer.max_steps=2", "data.init_args.batch_size=2"]
    fit(EXPERIMENTS / "lip_landmarks.yaml", [*lips, data], runs)
    settings = [f"+{DEBUG / 'motion_diffusion.yaml'}", f"vars.shards={folder / 'codes'}"]
    fit(EXPERIMENTS / "motion_diffusion.yaml", settings, runs)
    return folder


@pytest.fixture(autouse=True)
def _judges(study, monkeypatch):
    """Judges of no judgement, where the command looks for them."""
    for name, value in judges_stand_in(study / "packaged").items():
        monkeypatch.setenv(name, value)


def run_of(study, name):
    return next((study / "runs" / name).iterdir())


def evaluate(run, out, *more):
    assert main(["evaluate", "run", str(run), "--out", str(out), *more]) == 0
    return json.loads((out / "metrics.json").read_text())


def test_reconstructed_frames_are_measured_whatever_the_batch(study, tmp_path):
    run = run_of(study, "table10-lip_refiner")
    record = evaluate(run, tmp_path / "a", *READERS)
    again = evaluate(run, tmp_path / "b", *READERS, "--batch", "7")
    assert (record["kind"], record["protocol"]["clips"]) == ("reconstruction", TEST_PEOPLE)
    # 60 frames, of which frame 0 is the source: 1, 3, ... 59.
    assert record["protocol"]["frames"] == 30 * TEST_PEOPLE
    assert record["protocol"]["picture (px)"] == 64
    for name in ("PSNR", "SSIM", "sharpness", "feature distance (face judge)", "lip landmark error"):
        one, other = (found["measurements"][name] for found in (record, again))
        assert one["value"] == pytest.approx(other["value"], rel=1e-3)
        assert one["baseline"] is not None
    assert record["measurements"]["transfer: identity kept"]["counts"] == {"pairs": TEST_PEOPLE}
    rows = list(csv.DictReader((tmp_path / "a" / "clips.csv").read_text().splitlines()))
    assert [row["frames"] for row in rows] == ["30"] * TEST_PEOPLE
    mean = sum(float(row["psnr"]) for row in rows) / TEST_PEOPLE
    assert mean == pytest.approx(record["measurements"]["PSNR"]["value"], rel=1e-6)
    assert len(list((tmp_path / "a" / "samples").glob("*.png"))) == 2


def test_a_span_of_each_clip_and_fewer_readers(study, tmp_path):
    run = run_of(study, "table10-lip_refiner")
    record = evaluate(run, tmp_path, "--span", "0.75", "1", "--stride", "5", "--split", "train", "--size", "32")
    assert record["protocol"]["frames"] == 3 * TEST_PEOPLE
    assert record["protocol"]["part of each clip"] == [0.75, 1.0]
    without = {"PSNR", "SSIM", "sharpness", "refiner's change outside the mouth, of that inside"}
    without |= {"placement error", "error of the refiner's lips"}
    assert set(record["measurements"]) == without


def test_lips_are_measured_in_speech_and_in_silence(study, tmp_path):
    record = evaluate(run_of(study, "lip_landmarks"), tmp_path)
    assert (record["kind"], record["protocol"]["clips"]) == ("lips", TEST_PEOPLE)
    names = {"mouth correlation", "lip error", "opening in silence, in the speaker's range"}
    assert set(record["measurements"]) == names
    few = evaluate(run_of(study, "lip_landmarks"), tmp_path, "--clips", "2")
    assert few["protocol"]["clips"] == 2


def test_the_refiner_is_measured_with_lips_from_speech(study, tmp_path):
    run, lips = run_of(study, "table10-lip_refiner"), run_of(study, "lip_landmarks")
    read, spoken = (
        evaluate(run, tmp_path / name, "--clips", "1", "--stride", "10", *more)
        for name, more in (("read", []), ("spoken", ["--lips", str(lips)]))
    )
    assert spoken["protocol"]["lips"].startswith("audio2lmk of lip_landmarks/")
    errors = [
        {name: one["value"] for name, one in record["measurements"].items() if "error" in name}
        for record in (read, spoken)
    ]
    assert errors[0]["placement error"] == errors[1]["placement error"] > 0
    assert errors[0]["error of the refiner's lips"] != errors[1]["error of the refiner's lips"]


def test_motion_is_measured_and_the_seed_decides(study, tmp_path):
    run, network = run_of(study, "motion_diffusion"), run_of(study, "table10-lip_refiner") / "networks"
    wanted = ["--autoencoder", str(network / "motion_autoencoder"), "--steps", "3", "--seeds", "2"]
    record, again = (evaluate(run, tmp_path / name, *wanted) for name in "ab")
    assert record["measurements"] == again["measurements"]
    assert record["kind"] == "motion"
    names = set(record["measurements"])
    assert {"mouth correlation", "blinks per minute", "head correlation between seeds"} <= names
    other = evaluate(run, tmp_path / "c", *wanted, "--seed", "7")
    assert other["measurements"]["mouth correlation"]["value"] != record["measurements"]["mouth correlation"]["value"]


def test_a_part_that_was_never_trained_is_named_by_every_stage(study, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.Linear, "is_random", True, raising=False)
    autoencoder = run_of(study, "table10-lip_refiner")
    motion = ["--autoencoder", str(autoencoder / "networks" / "motion_autoencoder"), "--steps", "2", "--seeds", "1"]
    for run, options, named in (
        (autoencoder, ["--size", "32"], "motion_autoencoder"),
        (run_of(study, "lip_landmarks"), [], "lip_landmarks"),
        (run_of(study, "motion_diffusion"), motion, "motion_diffusion"),
    ):
        assert named in evaluate(run, tmp_path / named, "--clips", "1", *options)["random_weights"]


def test_wrong_words_and_wrong_networks_are_named(study, tmp_path, capsys):
    motion, run = run_of(study, "motion_diffusion"), run_of(study, "table10-lip_refiner")
    other = tmp_path / "other"
    narrow_autoencoder().save_pretrained(other)
    for arguments, message in (
        ([str(run), "--landmarks", "eyes"], "--landmarks eyes: expected judges"),
        ([str(run), "--perceptual", "alex=random"], "LPIPS with random weights"),
        ([str(run), "--perceptual", "lpips"], "--perceptual lpips: expected alex=FILE"),
        ([str(run), "--stride", "0"], "argument --stride: '0'"),
        ([str(run), "--span", "0.5", "0.5"], "0.5 0.5"),
        ([str(motion)], "--autoencoder must be given"),
        ([str(motion), "--autoencoder", str(other)], "but the codes of"),
        ([str(tmp_path)], "no finished run"),
    ):
        assert status(["evaluate", "run", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_table_ten_is_reported_and_refuses_what_is_not_its_row(study, tmp_path, capsys):
    for row in ("lip_refiner", "both"):
        run = run_of(study, f"table10-{row}")
        evaluate(run, run, *READERS, "--size", "64")
    assert main(["report", "table", "table10", "--runs", str(study / "runs"), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "table10.md").read_text()
    assert "| + lip refiner | ours, reconstructed (1 run), on synthetic |" in text
    assert "No finished run yet: baseline, + codebook." in text
    assert "source frame copied" in text
    capsys.readouterr()
    (study / "runs" / "table10-baseline").symlink_to(study / "runs" / "table10-lip_refiner")
    assert main(["report", "table", "table10", "--runs", str(study / "runs")]) == 2
    assert "is no run of row 'baseline': lip_refiner: False and True" in capsys.readouterr().err
    (study / "runs" / "table10-baseline").unlink()


def test_a_pipeline_of_finished_runs_is_measured_from_the_true_first_frame(study, tmp_path, capsys):
    """The autoencoder of the high-resolution phase has the codes of the one that it came out of."""
    runs = ["--motion-autoencoder", "table10-both", "--lip-landmarks", "lip_landmarks", "--motion-diffusion"]
    runs = [word if word.startswith("--") else str(run_of(study, word)) for word in (*runs, "motion_diffusion")]
    pipeline = tmp_path / "pipeline"
    assert main(["assemble", *runs, "--steps", "2", "--out", str(pipeline)]) == 0
    assert "TalkingFacePipeline" in capsys.readouterr().out
    arguments = ["--shards", str(study / "shards"), "--out", str(tmp_path / "out"), "--metrics", "pixels"]
    arguments += ["--size", "64", "--steps", "2"]
    assert main(["evaluate", "pipeline", str(pipeline), *arguments]) == 0
    record = json.loads((tmp_path / "out" / "hrtf" / "metrics.json").read_text())
    assert (record["kind"], record["experiment"], record["random_weights"]) == ("videos", "hrtf", [])
    psnr = record["measurements"]["PSNR"]
    assert psnr["counts"] == {"clips": TEST_PEOPLE, "failed": 0, "frames": TEST_PEOPLE * (60 - 1)}
    assert len(list((tmp_path / "out" / "hrtf" / "videos").glob("*.mp4"))) == TEST_PEOPLE
    # Drawn anew, since the seed is another.
    assert main(["evaluate", "pipeline", str(pipeline), *arguments, "--seed", "1"]) == 0
    again = json.loads((tmp_path / "out" / "hrtf" / "metrics.json").read_text())
    assert again["protocol"]["references"] == record["protocol"]["references"]
    assert again["measurements"]["PSNR"]["value"] != psnr["value"]


def test_arms_are_assembled_and_speak_the_test_clips(study, tmp_path, capsys):
    runs = {name: run_of(study, name) for name in ("table10-lip_refiner", "table10-both", "lip_landmarks")}
    words = [
        "--lip-landmarks",
        str(runs["lip_landmarks"]),
        "--motion-diffusion",
        str(run_of(study, "motion_diffusion")),
    ]
    for row in ("lip_refiner", "both"):
        words += ["--arm", row, f"motion-autoencoder={runs[f'table10-{row}']}"]
    words += ["--shards", str(study / "shards"), "--out", str(tmp_path / "out"), "--metrics", "pixels"]
    words += ["--size", "64", "--steps", "2", "--clips", "1"]
    assert main(["evaluate", "arms", *words]) == 0
    refiner, both = (
        json.loads((tmp_path / "out" / row / "metrics.json").read_text()) for row in ("lip_refiner", "both")
    )
    assert (refiner["kind"], refiner["experiment"], refiner["datasets"]) == ("videos", "lip_refiner", ["synthetic"])
    parts = [{part: one["system"][part] for part in ("lip_refiner", "codebook")} for one in (refiner, both)]
    assert parts == [{"lip_refiner": True, "codebook": False}, {"lip_refiner": True, "codebook": True}]
    assert refiner["protocol"] == both["protocol"]
    assert refiner["measurements"]["PSNR"]["counts"]["clips"] == 1
    # Continued: the records of the clips are there.
    videos = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/videos/*.mp4")}
    assert len(videos) == 2
    assert main(["evaluate", "arms", *words]) == 0
    assert {path: path.stat().st_mtime_ns for path in videos} == videos
    # A wrong arm is refused before the first is measured.
    capsys.readouterr()
    wrong = [*words, "--arm", "wrong", f"motion-autoencoder={runs['lip_landmarks']}"]
    assert main(["evaluate", "arms", *wrong]) == 2
    assert "arm wrong: " in capsys.readouterr().err
    assert (tmp_path / "out" / "both" / "metrics.json").is_file()


def test_runs_that_do_not_belong_together_are_not_assembled(study, tmp_path, capsys):
    lips, motion = (str(run_of(study, name)) for name in ("lip_landmarks", "motion_diffusion"))
    out = ["--out", str(tmp_path / "pipeline")]
    for arguments, message in (
        (["--lip-landmarks", lips], "--motion-autoencoder and --motion-diffusion must be given"),
        (["--lip-landmarks", lips, "--motion-diffusion", motion, "--motion-autoencoder", lips], "no finished run of"),
    ):
        assert main(["assemble", *arguments, *out]) == 2
        assert message in capsys.readouterr().err


def test_a_runs_numbers_go_into_wandb(study, tmp_path):
    from s2tf.reporting.wandb_records import read_offline

    run = run_of(study, "lip_landmarks")
    record = evaluate(run, tmp_path, "--wandb", "talking")
    (logged,) = read_offline(run / "wandb").runs
    assert logged.record == record
