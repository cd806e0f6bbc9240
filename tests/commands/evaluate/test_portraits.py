"""`s2tf evaluate portraits GENERATED REFERENCE` on picture files of any system."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from video_folders import status

from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.evaluation import open_readers as evaluate_readers
from s2tf.faces.attributes import Attributes
from s2tf.models.face_encoder import FaceEncoder

PEOPLE = 6


@pytest.fixture
def folders(tmp_path):
    """A picture of each of six people, and portraits of them: the same with noise."""
    rng = np.random.default_rng(0)
    for person in range(PEOPLE):
        colours = rng.integers(0, 256, (4, 4, 3), np.uint8)
        picture = np.asarray(Image.fromarray(colours).resize((32, 32), Image.Resampling.BILINEAR))
        for name, noise in (("true", 0), ("near", 4), ("far", 60)):
            made = (picture + rng.normal(0, noise, picture.shape)).clip(0, 255).astype(np.uint8)
            (tmp_path / name / f"person{person}").mkdir(parents=True)
            Image.fromarray(made).save(tmp_path / name / f"person{person}" / "face.png")
    encoder = FaceEncoder(dim=8, width=0.05, image_size=32, hidden=16, pooled=1, channel_order="bgr")
    encoder.mark_trained()
    encoder.save_pretrained(tmp_path / "encoder")
    return tmp_path


def evaluate(folder, name, *more):
    faces = ["--faces", f"network={folder / 'encoder'}"]
    return main(["evaluate", "portraits", str(folder / name), str(folder / "true"), *faces, *more])


def read(folder, name):
    return json.loads((folder / f"{name}-evaluation" / "metrics.json").read_text())


def rows(folder, name, file="clips.csv"):
    with open(folder / f"{name}-evaluation" / file, newline="") as table:
        return list(csv.DictReader(table))


def times(folder, name):
    """When the records of the features were written."""
    return {
        path.name: path.stat().st_mtime_ns for path in (folder / f"{name}-evaluation" / "clips" / "faces").iterdir()
    }


def test_the_background_of_transparent_pictures_can_be_chosen(folders, capsys):
    path = folders / "near" / "person0" / "face.png"
    pixels = np.asarray(Image.open(path))
    clear = np.zeros((*pixels.shape[:2], 1), np.uint8)
    clear[8:24, 8:24] = 255
    Image.fromarray(np.concatenate([pixels, clear], axis=2)).save(path)
    distances = []
    for words in ([], ["--background", "white"], ["--background", "#808080"]):
        assert evaluate(folders, "near", *words) == 0
        record = read(folders, "near")
        distances.append(record["measurements"]["L1"]["value"])
        assert record["protocol"].get("background") == ([255, 255, 255] if "white" in words else None)
    assert distances[0] == distances[2] != distances[1]
    assert status(["evaluate", "portraits", "a", "b", "--faces", "judges", "--background", "greyish"]) == 2
    assert "--background: 'greyish', expected a colour such as white or #808080" in capsys.readouterr().err


def report(folder, *names):
    results = [word for name in names for word in ("--results", f"{name}={folder / f'{name}-evaluation'}")]
    return main(["report", "table", "table1", *results])


def picture(folder, person):
    return np.asarray(Image.open(folder / "near" / f"person{person}" / "face.png"))


def test_nearer_portraits_measure_better_and_find_their_person(folders):
    assert evaluate(folders, "near") == 0
    assert evaluate(folders, "far", "--name", "noisy") == 0
    near, far = read(folders, "near"), read(folders, "far")
    assert (near["kind"], near["experiment"], far["experiment"]) == ("portraits", "near", "noisy")
    assert near["measurements"]["L1"]["value"] < far["measurements"]["L1"]["value"]
    assert near["measurements"]["R@1"]["value"] == 1
    assert near["measurements"]["R@1"]["baseline"] == pytest.approx(1 / PEOPLE)
    assert near["protocol"]["people"] == PEOPLE
    assert 0 < near["measurements"]["cosine_degrees"]["value"] < near["measurements"]["cosine_degrees"]["baseline"]


def test_portraits_that_are_not_there_are_listed(folders, capsys):
    (folders / "near" / "person0" / "face.png").unlink()
    assert evaluate(folders, "near") == 3
    (failure,) = read(folders, "near")["failures"]
    assert failure["clip"] == "person0/face"
    assert "no portrait for" in failure["reason"]
    assert read(folders, "near")["measurements"]["L1"]["counts"]["portraits"] == PEOPLE - 1


def test_the_network_that_compares_must_be_named(folders, capsys):
    assert status(["evaluate", "portraits", folders / "near", folders / "true"]) == 2
    assert "the following arguments are required: --faces" in capsys.readouterr().err


def test_what_cannot_be_used_is_listed_and_the_rest_is_measured(folders, capsys):
    pictures = [folders / "near" / f"person{person}" / "face.png" for person in range(PEOPLE)]
    pictures[0].write_text("none")
    Image.new("RGB", (32, 20)).save(pictures[1])
    pictures[2].write_bytes(pictures[2].read_bytes()[:-400])
    true = folders / "true" / "person3" / "face.png"
    true.write_text("none")
    assert evaluate(folders, "near") == 3
    record = read(folders, "near")
    bad = [*pictures[:3], true]
    assert [one["clip"] for one in record["failures"]] == [f"person{person}/face" for person in range(4)]
    assert all(str(path) in one["reason"] for path, one in zip(bad, record["failures"], strict=True))
    assert "it is a text, 'none'" in record["failures"][0]["reason"]
    assert "32x20 pixels, expected a square crop" in record["failures"][1]["reason"]
    assert rows(folders, "near", "failures.csv") == record["failures"]
    counts = record["measurements"]["L1"]["counts"]
    assert (counts["portraits"], counts["failed"]) == (2, 4)
    listed = {row["clip"]: row for row in rows(folders, "near")}
    assert len(listed) == PEOPLE
    assert listed["person0/face"]["L1"] == listed["person3/face"]["rank"] == ""
    assert float(listed["person4/face"]["L1"]) > 0
    # Mended, it is read, and nothing else is.
    kept = times(folders, "near")
    Image.open(pictures[5]).save(pictures[0])
    assert evaluate(folders, "near") == 3
    changed = [name for name, time in times(folders, "near").items() if kept[name] != time]
    assert changed == ["portrait%2Fperson0%2Fface.safetensors"]
    assert read(folders, "near")["measurements"]["L1"]["counts"]["failed"] == 3


def test_nothing_but_bad_portraits_is_told_too(folders):
    for path in (folders / "near").rglob("*.png"):
        path.write_text("none")
    assert evaluate(folders, "near") == 3
    record = read(folders, "near")
    assert (len(record["failures"]), record["measurements"]) == (PEOPLE, {})
    assert record["not_computed"] == {"faces": f"none of {PEOPLE} portraits could be measured"}


def test_a_row_a_portrait_says_what_the_table_is_the_mean_of(folders):
    assert evaluate(folders, "far") == 0
    listed, found = rows(folders, "far"), read(folders, "far")["measurements"]
    assert [row["person"] for row in listed] == [f"person{person}" for person in range(PEOPLE)]
    for name in ("L1", "cosine_degrees"):
        assert np.mean([float(row[name]) for row in listed]) == pytest.approx(found[name]["value"], rel=1e-12)
    ranks = np.array([int(row["rank"]) for row in listed])
    for k in (1, 2, 5):
        assert np.mean(ranks <= k) == pytest.approx(found[f"R@{k}"]["value"])


def test_a_system_is_searched_among_all_people_and_not_the_better_for_leaving_some_out(folders, capsys):
    assert evaluate(folders, "near") == 0
    (folders / "far" / "person0" / "face.png").unlink()
    assert evaluate(folders, "far") == 3
    near, far = read(folders, "near"), read(folders, "far")
    assert far["protocol"] == near["protocol"]
    assert far["measurements"]["R@1"]["protocol"]["gallery_size"] == PEOPLE
    assert report(folders, "near", "far") == 0
    assert "clips that failed: all: 1" in capsys.readouterr().out


def test_results_against_other_true_pictures_are_refused_side_by_side(folders, capsys):
    assert evaluate(folders, "near") == 0
    for path in (folders / "true").rglob("*.png"):
        Image.open(path).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    assert evaluate(folders, "near", "--out", str(folders / "other-evaluation")) == 0
    assert report(folders, "near", "other") == 2
    assert "different protocols: references" in capsys.readouterr().err


def test_parts_merge_to_the_same_bits_and_are_not_read_again(folders, capsys):
    assert evaluate(folders, "near") == 0
    for part in ("2/3", "3/3"):
        assert evaluate(folders, "near", "--out", str(folders / "parts-evaluation"), "--part", part) == 0
        assert f"part {part[0]} of 3 is done; clips of other parts" in capsys.readouterr().out
    assert not (folders / "parts-evaluation" / "metrics.json").exists()
    kept = times(folders, "parts")
    assert len(kept) == 2 * PEOPLE - 4
    assert evaluate(folders, "near", "--out", str(folders / "parts-evaluation"), "--part", "1/3") == 0
    assert kept.items() <= times(folders, "parts").items()
    assert read(folders, "parts") == read(folders, "near")
    assert rows(folders, "parts") == rows(folders, "near")


class Shades:
    """Reads the gender off a picture's brightness; refuses what it is told to."""

    packages = ()

    def __init__(self, refused=None):
        self.refused, self.protocol = refused, {"network": "shades"}

    def read(self, pictures):
        if self.refused is not None and np.array_equal(pictures[0], self.refused):
            raise ValueError("too small")
        return [Attributes(int(pictures.mean() > 128), 30.0)]


def test_attributes_are_read_alone_and_one_that_fails_counts_in_neither_number(folders, monkeypatch):
    assert evaluate(folders, "near") == 0
    kept = times(folders, "near")
    path = folders / "near" / "person2" / "face.png"
    monkeypatch.setattr(evaluate_readers, "open_attributes", lambda *_: Shades(np.asarray(Image.open(path))))
    assert evaluate(folders, "near") == 3
    assert times(folders, "near") == kept
    record = read(folders, "near")
    (failure,) = record["failures"]
    assert (failure["clip"], failure["what"]) == ("person2/face", "attributes")
    assert failure["reason"] == f"{path}: too small"
    gender = record["measurements"]["gender"]
    assert (gender["value"], gender["counts"]["known"], gender["counts"]["no face found"]) == (1, PEOPLE - 1, 0)
    assert (gender["counts"]["failed"], gender["truth"]) == (1, None)
    assert record["measurements"]["L1"]["counts"]["portraits"] == PEOPLE
    assert record["measurements"]["L1"]["counts"]["failed"] == 0
    listed = rows(folders, "near")
    assert [row["gender"] == row["true gender"] != "" for row in listed] == [n != 2 for n in range(PEOPLE)]
    assert listed[0]["age"] == "30.0"


def test_a_service_that_refuses_at_all_ends_it(folders, monkeypatch, capsys):
    class Closed(Shades):
        def read(self, pictures):
            raise UserError("Face++ refused a picture: AUTHENTICATION_ERROR")

    monkeypatch.setattr(evaluate_readers, "open_attributes", lambda *_: Closed())
    assert evaluate(folders, "near") == 2
    assert "AUTHENTICATION_ERROR" in capsys.readouterr().err


def test_a_bad_further_portrait_leaves_the_speech_measured(folders):
    for draw in ("a", "b", "c"):
        recorded(folders, "drawn", {f"person{n}": {f"face/{draw}.png": picture(folders, n)} for n in range(PEOPLE)})
    bad = folders / "drawn" / "person0" / "face" / "b.png"
    bad.write_text("none")
    assert evaluate(folders, "drawn") == 3
    record = read(folders, "drawn")
    (failure,) = record["failures"]
    assert (failure["clip"], failure["what"]) == ("person0/face/b", "diversity")
    assert str(bad) in failure["reason"]
    assert record["measurements"]["L1"]["counts"]["failed"] == 0
    assert record["measurements"]["diversity"]["counts"]["portraits of each"] == 2


def recorded(folder, name, people):
    """Measure portraits of two speeches of each person: by person, its pictures by name below the person's folder."""
    for person, pictures in people.items():
        for path, picture in pictures.items():
            file = folder / name / person / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(file)


def test_several_portraits_of_a_speech_and_several_speeches_of_a_person(folders):
    """A generator that hears the speaker against one that draws whom it likes."""
    rng = np.random.default_rng(1)

    def face():
        colours = rng.integers(0, 256, (4, 4, 3), np.uint8)
        return np.asarray(Image.fromarray(colours).resize((32, 32), Image.Resampling.BILINEAR))

    def near(picture):
        return (picture + rng.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)

    true = {f"p{index}": face() for index in range(4)}
    recorded(folders, "truth", {name: {"1.png": one, "2.png": near(one)} for name, one in true.items()})
    draws = ("a.png", "b.png", "c.png")
    heard = {name: {"1.png": near(one), **{f"2/{draw}": near(one) for draw in draws}} for name, one in true.items()}
    recorded(folders, "heard", heard)
    recorded(folders, "guessed", {name: {path: face() for path in one} for name, one in heard.items()})
    # One portrait more of one speech is left out of what all have.
    recorded(folders, "heard", {"p0": {"2/d.png": true["p0"]}})
    found = {}
    for name in ("heard", "guessed"):
        faces = ["--faces", f"network={folders / 'encoder'}"]
        assert main(["evaluate", "portraits", str(folders / name), str(folders / "truth"), *faces]) == 0
        found[name] = read(folders, name)["measurements"]
    heard, guessed = found["heard"], found["guessed"]
    assert heard["L1"]["counts"]["portraits"] == 8
    assert heard["diversity"]["counts"] == {"speeches": 4, "portraits of each": 3, "failed": 0}
    assert heard["diversity"]["value"] < guessed["diversity"]["value"] / 10
    assert heard["consistency"]["value"] > heard["between_speakers"]["value"] + 0.1
    one, other = heard["speaker consistency"], guessed["speaker consistency"]
    assert one["counts"] == {"people with several speeches": 4, "portraits": 8, "failed": 0}
    assert one["truth"] == other["truth"] > 0.95
    assert one["value"] > max(0.95, one["baseline"] + 0.1)
    assert other["value"] < 0.9
    assert set(one["software"]) == {"opencv", "pillow", "torch"}


def test_a_folder_of_portraits_without_a_true_picture_is_listed(folders):
    recorded(folders, "near", {"person9": {"face/1.png": np.zeros((32, 32, 3), np.uint8)}})
    assert evaluate(folders, "near") == 3
    (failure,) = read(folders, "near")["failures"]
    assert failure["clip"] == "person9/face/1"
    assert "no reference picture for" in failure["reason"]
    assert "diversity" not in read(folders, "near")["measurements"]


def test_a_share_takes_the_results_of_another_system_away(folders):
    out = ("--out", str(folders / "near-evaluation"))
    assert evaluate(folders, "far", *out) == 0
    assert evaluate(folders, "near", *out, "--part", "1/2") == 0
    assert [path.name for path in (folders / "near-evaluation").iterdir()] == ["clips"]
    assert evaluate(folders, "near", *out, "--part", "2/2") == 0
    assert read(folders, "near")["experiment"] == "near"


def test_a_second_face_network_has_its_own_numbers_and_leaves_the_first_ones(folders, capsys):
    assert evaluate(folders, "far") == 0
    alone = read(folders, "far")["measurements"]
    torch.manual_seed(5)
    wide = FaceEncoder(dim=24, width=0.05, image_size=32, hidden=16, pooled=1)
    wide.mark_trained()
    wide.save_pretrained(folders / "wide")
    assert evaluate(folders, "far", "--faces", f"network={folders / 'wide'}") == 0
    both = read(folders, "far")["measurements"]
    assert {name: both[name] for name in alone} == alone
    assert {name for name in both if name not in alone} == {f"{name} (wide)" for name in alone}
    assert both["R@1 (wide)"]["protocol"]["faces"]["weights"] == wide.fingerprint()
    assert evaluate(folders, "near", "--faces", f"network={folders / 'encoder'}") == 2
    assert "given twice, expected different networks" in capsys.readouterr().err


def test_a_second_network_by_itself_gives_the_numbers_that_it_gives_beside_another(folders):
    torch.manual_seed(5)
    wide = FaceEncoder(dim=24, width=0.05, image_size=32, hidden=16, pooled=1)
    wide.mark_trained()
    wide.save_pretrained(folders / "wide")
    assert evaluate(folders, "far", "--faces", f"network={folders / 'wide'}") == 0
    both = read(folders, "far")["measurements"]
    words = [str(folders / "far"), str(folders / "true"), "--faces", f"network={folders / 'wide'}"]
    assert main(["evaluate", "portraits", *words, "--out", str(folders / "far-evaluation")]) == 0
    alone = read(folders, "far")["measurements"]
    for name, number in alone.items():
        assert both[f"{name} (wide)"] == {**number, "name": f"{name} (wide)"}
