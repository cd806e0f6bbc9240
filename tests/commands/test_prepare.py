"""`s2tf prepare`: the data sets it offers, and shares that a data set does not take."""

import pytest

from datamodules.prepare.readers import READERS, ReaderSettings, open_reader
from s2tf.cli import main
from s2tf.commands.prepare import _DATASETS


def test_every_reader_is_offered():
    assert set(_DATASETS) == set(READERS)


@pytest.mark.parametrize("dataset", ["avspeech", "voxceleb1"])
def test_a_share_for_test_is_refused_where_the_data_set_names_its_own_test_set(dataset, tmp_path, capsys):
    assert main(["prepare", dataset, str(tmp_path), "--out", str(tmp_path / "out"), "--test", "0.1"]) == 2
    assert f"--test 0.1 has no effect: {dataset} has its own test set" in capsys.readouterr().err


def test_synthetic_speakers_are_split_by_the_given_shares_and_need_a_number():
    reader = open_reader(ReaderSettings("synthetic", "10", val=0.2, test=0.3, clips=1, size=64))
    assert [recording.split for recording in reader] == ["train"] * 5 + ["val"] * 2 + ["test"] * 3
    with pytest.raises(ValueError, match="got 'ten'"):
        open_reader(ReaderSettings("synthetic", "ten"))
