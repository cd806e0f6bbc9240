import json

import pytest
import torch
from packaged_files import judges_stand_in
from rich.console import Console

from s2tf.cli import main
from s2tf.evaluation import judge_comparison, judge_training
from s2tf.evaluation.judge_comparison import compare_with_packaged
from s2tf.evaluation.judge_training import (
    JudgeData,
    cache_folder,
    judge_examples,
    load_judges,
    make_judges,
)
from s2tf.faces.judges import Judges, JudgeTraining


@pytest.mark.slow
def test_judges_are_the_same_after_loading_and_say_how_well_they_read(tmp_path):
    data = JudgeData(speakers=16, days=1, stills=2, workers=1)
    training = JudgeTraining(face_epochs=1, gender_epochs=4, mouth_epochs=1, batch_size=8)
    judges = make_judges(data, tmp_path / "judges", Console(quiet=True), training)
    assert set(judges.settings["accuracy"]) >= {"gender accuracy", "mouth opening correlation"}
    frames = torch.randint(0, 256, (3, 80, 80, 3), dtype=torch.uint8).numpy()
    again = Judges.load(tmp_path / "judges")
    assert again.settings == json.loads(json.dumps(judges.settings))
    for read in ("embed", "gender", "lips", "opening"):
        torch.testing.assert_close(getattr(again, read)(frames), getattr(judges, read)(frames))
    with pytest.raises(FileNotFoundError, match=r"judges\.json is missing"):
        Judges.load(tmp_path)


def test_the_cache_depends_on_the_pictures_and_not_on_the_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("S2TF_CACHE", str(tmp_path))
    assert cache_folder(JudgeData(workers=1)) == cache_folder(JudgeData(workers=2))
    assert cache_folder(JudgeData(seed=1)) != cache_folder(JudgeData())
    assert cache_folder(JudgeData()).parent == tmp_path / "judges"


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Untrained judges where the packaged ones are, of this version unless a test changes their record."""
    for name, value in judges_stand_in(tmp_path / "packaged").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "packaged" / "judges"


def record(folder, **values):
    path = folder / "judges.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_evaluations_read_the_packaged_judges_and_train_none(packaged, tmp_path, monkeypatch):
    monkeypatch.setenv("S2TF_CACHE", str(tmp_path / "cache"))
    judges = load_judges(JudgeData(workers=1), Console(quiet=True))
    assert judges.networks["face"].fingerprint() == Judges.load(packaged).networks["face"].fingerprint()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("data", "values"), [(JudgeData(seed=1), {}), (JudgeData(), {"fingerprint": "older"})])
def test_judges_of_another_version_are_made_in_the_cache(packaged, tmp_path, monkeypatch, data, values):
    monkeypatch.setenv("S2TF_CACHE", str(tmp_path / "cache"))
    record(packaged, **values)
    made = []
    monkeypatch.setattr(judge_training, "make_judges", lambda data, folder, console: made.append(folder))
    load_judges(data, Console(quiet=True))
    assert made == [cache_folder(data)]


def test_judges_made_anew_are_compared_with_the_packaged_ones_on_the_same_speakers(packaged, monkeypatch):
    few = JudgeData(speakers=2, days=1, stills=1, workers=1)
    monkeypatch.setattr(judge_comparison, "unseen_examples", lambda data: judge_examples(few, 9_500_000, 2))
    accuracies = iter(({"gender accuracy": 0.97}, {"gender accuracy": 0.6}))
    monkeypatch.setattr(judge_comparison, "judge_accuracy", lambda judges, examples: next(accuracies))
    anew = Judges.load(packaged)
    anew.settings["accuracy"] = {"gender accuracy": 1.0}
    same, other = (compare_with_packaged(anew, JudgeData()) for _ in range(2))
    assert same.lines()[1:] == [
        "gender accuracy                               1.000     0.970",
        "they agree: no number differs by more than 0.05",
    ]
    assert (same.agree, other.agree) == (True, False)
    assert "do not agree" in other.lines()[-1]
    record(packaged, fingerprint="older")
    older = compare_with_packaged(anew, JudgeData())
    assert older.agree is None
    assert "another version" in older.lines()[-1]


@pytest.mark.parametrize(("accuracy", "status", "words"), [(0.48, 0, "they agree"), (0.9, 1, "they do not agree")])
def test_the_command_says_whether_new_judges_agree_with_the_packaged_ones(
    packaged, tmp_path, monkeypatch, capsys, accuracy, status, words
):
    asked = []

    def make(data, folder, console, training=None, precision=32):
        asked.append((folder, precision))
        judges = Judges.load(packaged)
        judges.settings["accuracy"] = {"gender accuracy": accuracy}
        return judges

    monkeypatch.setattr(judge_training, "make_judges", make)
    monkeypatch.setattr(judge_comparison, "unseen_examples", lambda data: None)
    monkeypatch.setattr(judge_comparison, "judge_accuracy", lambda judges, examples: {"gender accuracy": 0.5})
    assert (
        main(["judges", "--half", "--out", str(tmp_path / "anew"), "--json", str(tmp_path / "judges.json")]) == status
    )
    assert asked == [(tmp_path / "anew", 16)]
    assert words in capsys.readouterr().out
    assert json.loads((tmp_path / "judges.json").read_text())["agree"] is (status == 0)
