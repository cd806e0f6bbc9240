"""Data sets of the tables, arms of Tables X and XI, and the names under which both are found."""

import json

import pytest
from written_scores import video_scores

from s2tf.cli import main
from s2tf.config import compose, write_yaml
from s2tf.config.experiments import EXPERIMENTS
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores

PARTS = {
    "baseline": (False, False),
    "codebook": (False, True),
    "lip_refiner": (True, False),
    "both": (True, True),
}


def report(folder, table, *words):
    """Exit status; the lines by method, and the notes."""
    out = folder / "t.json"
    status = main(["report", "table", table, "--runs", str(folder / "runs"), *words, "--json", str(out)])
    record = json.loads(out.read_text()) if status == 0 else {"lines": [], "notes": []}
    return status, record["lines"], " ".join(record["notes"])


def scfp_run(folder, dataset, name="scfp", experiment="scfp"):
    """A run of SCFP as its evaluation leaves it."""
    run = folder / "runs" / name / "0123abcd"
    network = {"speech_encoder": "s2tf.models.speech_encoder.SpeechEncoder"}
    for name, class_path in network.items():
        (run / "networks" / name).mkdir(parents=True)
        (run / "networks" / name / "config.json").write_text(json.dumps({"class_path": class_path}))
    (run / "config.yaml").write_text(write_yaml(compose(EXPERIMENTS / f"{experiment}.yaml", missing="random")))
    protocol = {"clips": 2, "shards": "test", "data": "0"}
    Scores("portraits", name, [Measurement("L1", 1.0, protocol)], protocol, [], datasets=dataset).write(run)


@pytest.mark.parametrize(
    ("dataset", "tables"),
    [
        (["avspeech"], ["table1"]),
        (["voxceleb2"], ["table2"]),
        (["synthetic"], []),
        (["avspeech", "hdtf"], []),
        ([], []),
    ],
)
def test_a_run_counts_for_the_table_of_its_own_data_set(tmp_path, capsys, dataset, tables):
    scfp_run(tmp_path, dataset)
    assert [name for name in ("table1", "table2") if report(tmp_path, name)[0] == 0] == tables
    assert f"its test clips are of {', '.join(dataset) or 'an unknown data set'}, expected" in capsys.readouterr().err
    # A table of ablations takes any, and says which.
    _, lines, _ = report(tmp_path, "table3")
    (ours,) = [line for line in lines if line["source"] == "ours"]
    assert ours.get("data", "") == ("" if dataset in (["avspeech"], []) else ", ".join(dataset))


def test_controls_are_rows_that_are_not_in_the_paper(tmp_path, capsys):
    scfp_run(tmp_path, ["synthetic"], "table4-saw_ones", "ablations/table4/saw_ones")
    _, lines, _ = report(tmp_path, "table4")
    (ours,) = [line for line in lines if line["source"] == "ours"]
    assert (ours["method"], ours["data"]) == ("SAW with z_p := 1 [not in the paper]", "synthetic")
    # Another control in its place is refused.
    scfp_run(tmp_path, ["synthetic"], "table4-saw_permuted", "ablations/table4/saw_ones")
    assert report(tmp_path, "table4")[0] == 2
    assert "weighting.prior: permuted and ones" in capsys.readouterr().err


def test_videos_count_by_their_data_set_and_say_another_where_they_are_given(tmp_path):
    scores = video_scores(tmp_path / "runs" / "hrtf" / "0", left_out={"datasets": ["hdtf"]})
    assert scores["datasets"] == ["hdtf"]
    assert [report(tmp_path, name)[0] for name in ("table7", "table8", "table9")] == [2, 0, 2]
    status, lines, _ = report(tmp_path, "table7", "--results", f"hrtf={tmp_path / 'runs' / 'hrtf' / '0'}")
    assert status == 0
    assert [(line["method"], line["data"]) for line in lines if line["source"] == "ours"] == [("HRTF", "hdtf")]


def arms(folder, seed=0, **changed):
    for name, (lip_refiner, codebook) in PARTS.items():
        system = {"lip_refiner": lip_refiner, "codebook": codebook, **changed.get(name, {})}
        extra = {"system": system, "datasets": ["voxceleb2"]}
        video_scores(folder / name, name, 1.0 + seed, left_out=extra)
    return folder


def test_arms_fill_the_papers_columns_of_table_ten(tmp_path):
    words = [word for seed in range(2) for word in ("--arms", str(arms(tmp_path / f"arms{seed}", seed)))]
    status, lines, _ = report(tmp_path, "table10", *words)
    assert status == 0
    ours = {line["method"]: line for line in lines if line["source"] == "ours"}
    assert list(ours) == ["baseline", "+ codebook", "+ lip refiner", "+ lip refiner + codebook"]
    assert [cell["mean"] for cell in ours["baseline"]["cells"].values() if cell] == [1.5 * n for n in range(1, 8)]
    assert {line["runs"] for line in ours.values()} == {2}


def test_an_arm_with_other_parts_than_its_row_is_refused(tmp_path, capsys):
    folder = arms(tmp_path / "arms", baseline={"lip_refiner": True})
    assert report(tmp_path, "table10", "--arms", str(folder))[0] == 2
    assert "is no run of row 'baseline': lip_refiner: False and True" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "channels", "other"),
    [("wav2vec_large", 768, "1024 and 768"), ("wav2vec", 1024, "768 and 1024")],
)
def test_an_arm_with_a_network_of_another_size_than_its_row_is_refused(tmp_path, capsys, name, channels, other):
    """wav2vec 2.0 is one class in two sizes."""

    def arm(channels):
        system = {"speech_features": "Wav2Vec2Features", "speech_channels": channels}
        video_scores(tmp_path / "arms" / name, name, left_out={"system": system, "datasets": ["voxceleb2"]})

    arm(channels)
    assert report(tmp_path, "table11", "--arms", str(tmp_path / "arms"))[0] == 2
    assert f"is no run of row 'wav2vec 2.0{' large' * (name != 'wav2vec')}': speech_channels: {other}" in (
        capsys.readouterr().err
    )
    # Its own size, and a network of a rehearsal.
    for right in (1792 - channels, 32):
        arm(right)
        assert report(tmp_path, "table11", "--arms", str(tmp_path / "arms"))[0] == 0


def test_a_run_with_a_network_of_another_size_than_its_row_is_refused(tmp_path, capsys):
    run = tmp_path / "runs" / "table11-wav2vec_large" / "1"
    experiment = EXPERIMENTS / "ablations" / "table11" / "wav2vec_large.yaml"
    Scores("motion", "table11-wav2vec_large", [Measurement("L1", 1.0, {"clips": 2})], {"clips": 2}, []).write(run)
    (run / "config.yaml").write_text(write_yaml(compose(experiment, ["vars.feature_dim=768"], missing="random")))
    assert report(tmp_path, "table11")[0] == 2
    assert "is no run of row 'wav2vec 2.0 large': speech_channels: 1024 and 768" in capsys.readouterr().err


def test_reconstructed_frames_stand_on_lines_of_their_own_beside_those_of_speech(tmp_path):
    protocol = {"clips": 2, "shards": "test", "data": "0"}
    measured = [Measurement(name, 30.0, protocol, baseline=1.0) for name in ("PSNR", "sharpness")]
    Scores("reconstruction", "table10-both", measured, protocol, [], datasets=["synthetic"]).write(tmp_path / "own")
    words = ["--arms", str(arms(tmp_path / "arms")), "--results", f"both={tmp_path / 'own'}"]
    status, lines, notes = report(tmp_path, "table10", *words)
    assert status == 0
    both = [line for line in lines if line["method"] == "+ lip refiner + codebook"]
    assert [(line["source"], line.get("how"), line.get("data")) for line in both] == [
        ("paper", None, None),
        ("ours", None, None),
        ("ours", "reconstructed", "synthetic"),
    ]
    assert [line["cells"]["PSNR ↑"]["mean"] for line in both[1:]] == [5.0, 30.0]
    assert "Ours, reconstructed: mean" in notes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arms", "nothing"], "nothing does not exist, expected a folder that `s2tf evaluate arms` wrote"),
        (["--arms", "arms/both/metrics.json"], "metrics.json is a file, expected a folder"),
        (["--arms", "arms/both"], "the folder of one arm, expected that of all: "),
        (["--arms", "arms/both/inner"], "no metrics.json in any folder in arms/both/inner"),
        (["--arms", "table11=arms"], "belongs to table11, but the report is table10"),
        (["--arms", "table99=arms"], "'table99' is no table, expected one of table1, "),
        (["--arms", "table10="], "--arms table10=: names no folder"),
        (["--arms", ""], "--arms '': names no folder"),
        (["--arms", "arms", "--arms", "./arms/"], "--arms ./arms/: given twice, expected another folder for each seed"),
    ],
)
def test_arms_that_cannot_be_read_are_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (arms(tmp_path / "arms") / "both" / "inner").mkdir()
    assert main(["report", "table", "table10", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: {}, "entry 'kind' is missing"),
        (lambda record: [], "an entry has another form"),
        (lambda record: {**record, "kind": "portraits"}, "numbers of portraits, expected those of videos"),
        (lambda record: {**record, "measurements": 3}, "an entry has another form"),
        (
            lambda record: {**record, "measurements": {"PSNR": {**record["measurements"]["PSNR"], "value": "30"}}},
            "measurements.PSNR.value is '30', expected a number",
        ),
    ],
)
def test_an_arm_whose_results_are_not_whole_is_named(tmp_path, capsys, change, message):
    file = arms(tmp_path / "arms") / "both" / "metrics.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    assert report(tmp_path, "table10", "--arms", str(tmp_path / "arms"))[0] == 2
    error = capsys.readouterr().err
    assert f"{file}: " in error
    assert message in error


def test_the_page_takes_arms_of_several_tables_and_folders_in_any_case(tmp_path):
    hrtf = video_scores(tmp_path / "videos" / "hrtf", left_out={"datasets": ["hdtf"]})
    assert hrtf
    words = ["--arms", f"table10={arms(tmp_path / 'arms')}", "--results", f"table8:HRTF={tmp_path / 'videos' / 'HRTF'}"]
    assert main(["report", "page", "--runs", str(tmp_path), "--out", str(tmp_path), *words]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "the parts of the second stage" in page
    assert "talking faces on HDTF" in page
