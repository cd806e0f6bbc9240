"""The demo on real recordings, two steps a stage: the same chain, and a ledger of what could not be used."""

import csv
import shutil

import pytest
from rich.console import Console

from s2tf.demo.results import measure, write_speakers
from s2tf.demo.train import DemoSettings, held_out_of, make_shards, train_chain
from s2tf.errors import UserError

CLIPS = (
    "GRID_lbbc2a--lbbc2a.mpg",
    "GRID_sbia1a--sbia1a.mpg",
    "GRID_sbwe5n--sbwe5n.mpg",
    "MEAD_M003--M003_level_1_disgusted_015.mp4",
    "MEAD_W023--W023_level_2_surprised_010.mp4",
)


@pytest.mark.slow
def test_real_recordings_go_through_the_same_chain(clips_folder, tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks of real faces need the extra `mediapipe`")
    source, out, console = tmp_path / "source", tmp_path / "out", Console(quiet=True)
    source.mkdir()
    for name in CLIPS:
        shutil.copy(clips_folder / "video" / name, source / name)
    (source / "broken.mp4").write_bytes(b"not a video")
    settings = DemoSettings(source=source, max_seconds=3.0, steps=2, compared=1, workers=1)
    shards = make_shards(settings, out, console)
    with open(shards / "failures.csv", newline="") as file:
        assert [(row["clip"], row["step"]) for row in csv.DictReader(file)] == [("broken", "read")]
    chain = train_chain(settings, shards, out, console)
    results = write_speakers(settings, chain, out, console)
    assert (out / "speakers" / results.speakers[0].key / "talking.mp4").is_file()
    measurements = measure(settings, results, console)
    assert [one.name for one in measurements[:2]] == ["reconstruction PSNR (dB)", "reconstruction SSIM"]
    assert {one.reached for one in measurements} == {None}


def test_a_folder_without_recordings_is_one_clear_error(tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks of real faces need the extra `mediapipe`")
    with pytest.raises(UserError, match="no video"):
        make_shards(DemoSettings(source=tmp_path), tmp_path / "out", Console(quiet=True))


def test_too_few_people_are_refused_before_any_recording_is_read(tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks of real faces need the extra `mediapipe`")
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="recordings of 3 people, expected at least 4: two to train on, one for"):
        make_shards(DemoSettings(source=tmp_path), tmp_path / "out", Console(quiet=True))


@pytest.mark.parametrize(
    ("people", "counts"), [(4, (2, 1, 1)), (5, (2, 1, 2)), (6, (3, 1, 2)), (14, (9, 1, 4)), (60, (44, 6, 10))]
)
def test_a_third_of_a_few_people_is_kept_for_test(people, counts):
    splits = held_out_of(people, seed=3).deal(f"person {index}" for index in range(people))
    assert tuple(list(splits.values()).count(name) for name in ("train", "val", "test")) == counts
