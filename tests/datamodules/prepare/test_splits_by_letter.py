"""VoxCeleb 1 divided by the first letters of names, and the name of the rule in a protocol of retrieval."""

import pytest
from tiny_shards import tiny_shards

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import prepare
from datamodules.prepare.readers import ReaderSettings, open_reader
from datamodules.prepare.recording import Reader
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.writing import load_manifest
from datamodules.speech_portrait import SpeechPortraitData
from s2tf.cli import main
from s2tf.evaluation.clips_of_run import data_protocol
from s2tf.faces.crop import CropRule

NAMES = ["Aamir_Khan", "Bill_Nighy", "Cate_Blanchett", "Edward_Norton", "F._Gary_Gray", "Zach_Braff"]


def voxceleb1(folder, names=NAMES):
    rows = [f"id1000{number}\t{name}\tm\tUSA\tdev\n" for number, name in enumerate(names)]
    (folder / "vox1_meta.csv").write_text("VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n" + "".join(rows))
    for number in range(len(names)):
        video = folder / f"id1000{number}" / "vvvvvvvvvvv" / "00001.mp4"
        video.parent.mkdir(parents=True)
        video.touch()
    return folder


def test_the_first_letter_of_the_name_decides_the_split(tmp_path):
    reader = open_reader(ReaderSettings("voxceleb1", str(voxceleb1(tmp_path)), splits="letters"))
    assert [item.split for item in reader] == ["val", "val", "test", "test", "train", "train"]
    assert "Wen et al. 2019" in reader.split_rule
    official = open_reader(ReaderSettings("voxceleb1", str(tmp_path)))
    assert ({item.split for item in official}, official.split_rule) == ({"train", "val"}, "")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["voxceleb2", "."], "--splits letters: voxceleb2 has no such splits, expected voxceleb1"),
        (["voxceleb1", ".", "--val", "0.1"], "--val 0.1 has no effect with --splits letters"),
        (["voxceleb1", "numbered"], "id10000 is called 'n000012', expected a name that begins with a letter"),
    ],
)
def test_splits_that_a_data_set_does_not_have_are_refused(words, problem, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbered").mkdir()
    voxceleb1(tmp_path / "numbered", ["n000012"])
    assert main(["prepare", *words, "--splits", "letters", "--out", "out"]) == 2
    assert problem in capsys.readouterr().err


class ByLetters(Reader):
    split_rule = "first letters"

    def __init__(self):
        self.recordings = list(SyntheticReader(6, 1, 1.2, 64, seed=3, val=1 / 3, test=1 / 3))


def test_the_protocol_of_retrieval_names_the_rule(tmp_path):
    prepare(ByLetters(), tmp_path / "letters", ClipSettings(CropRule(size=64)))
    assert load_manifest(tmp_path / "letters")["split_rule"] == "first letters"
    plain = tiny_shards(tmp_path / "plain", seconds=1.2)
    named, unnamed = (
        data_protocol(SpeechPortraitData(str(tmp_path / name), 2, 0), []) for name in ("letters", "plain")
    )
    assert named["people's splits"] == "first letters"
    assert "people's splits" not in unnamed
    assert "split_rule" not in load_manifest(plain)
