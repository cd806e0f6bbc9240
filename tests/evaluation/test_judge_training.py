import json

import pytest
import torch
from rich.console import Console

from s2tf.evaluation.judge_training import JudgeData, cache_folder, make_judges
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
