"""`s2tf evaluate PORTRAITS TRUE` on picture files of any system."""

import json

import numpy as np
import pytest
from PIL import Image

from s2tf.cli import main
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
    encoder = FaceEncoder(dim=8, width=0.05, image_size=32, hidden=16, pooled=1)
    encoder.mark_trained()
    encoder.save_pretrained(tmp_path / "encoder")
    return tmp_path


def evaluate(folder, name, *more):
    faces = ["--faces", f"network={folder / 'encoder'}"]
    return main(["evaluate", str(folder / name), str(folder / "true"), *faces, *more])


def read(folder, name):
    return json.loads((folder / f"{name}-evaluation" / "metrics.json").read_text())


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


def test_what_is_no_square_picture_is_named(folders, capsys):
    Image.new("RGB", (32, 20)).save(folders / "near" / "person1" / "face.png")
    assert evaluate(folders, "near") == 2
    assert "32x20 pixels, expected a square crop" in capsys.readouterr().err
    (folders / "near" / "person1" / "face.png").write_bytes(b"none")
    assert evaluate(folders, "near") == 2
    assert "not a picture that can be read" in capsys.readouterr().err
    assert main(["evaluate", str(folders / "near"), str(folders / "true")]) == 2
    assert "--faces must be given for portraits" in capsys.readouterr().err


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
        assert main(["evaluate", str(folders / name), str(folders / "truth"), *faces]) == 0
        found[name] = read(folders, name)["measurements"]
    heard, guessed = found["heard"], found["guessed"]
    assert heard["L1"]["counts"]["portraits"] == 8
    assert heard["diversity"]["counts"] == {"speeches": 4, "portraits of each": 3}
    assert heard["diversity"]["value"] < guessed["diversity"]["value"] / 10
    assert heard["consistency"]["value"] > heard["between_speakers"]["value"] + 0.1
    one, other = heard["speaker consistency"], guessed["speaker consistency"]
    assert one["counts"] == {"people with several speeches": 4, "portraits": 8}
    assert one["truth"] == other["truth"] > 0.95
    assert one["value"] > max(0.95, one["baseline"] + 0.1)
    assert other["value"] < 0.9
    assert set(one["software"]) == {"opencv", "pillow", "torch"}


def test_a_folder_of_portraits_without_a_true_picture_is_listed(folders):
    recorded(folders, "near", {"person9": {"face/1.png": np.zeros((32, 32, 3), np.uint8)}})
    assert evaluate(folders, "near") == 3
    (failure,) = read(folders, "near")["failures"]
    assert failure["clip"] == "person9/face/1"
    assert "no true picture for" in failure["reason"]
    assert "diversity" not in read(folders, "near")["measurements"]
