"""`s2tf check-faces`: the channel order of a network, told by pictures of persons."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from s2tf.cli import main
from s2tf.evaluation.check_faces import read_people
from s2tf.models.face_encoder import FaceEncoder

SIZE = 64


def pattern(rng):
    return rng.integers(0, 256, (8, 8)).repeat(SIZE // 8, axis=0).repeat(SIZE // 8, axis=1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Persons whom only the red channel shows; green and blue are of each picture."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("people")
    for person in range(8):
        # Faint, so that the pixels of all channels tell little.
        red = 100 + pattern(rng) / 6
        for number in range(3):
            channels = [(red + rng.normal(0, 2, red.shape)).clip(0, 255), pattern(rng), pattern(rng)]
            (folder / f"person{person}").mkdir(exist_ok=True)
            picture = Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
            picture.save(folder / f"person{person}" / f"{number}.png")
    return folder


def stored(folder, channel=None, seed=0, **arguments):
    """An encoder that reads a single channel of those that it is shown, or all of them by random weights."""
    torch.manual_seed(seed)
    encoder = FaceEncoder(64, 1 / 8, SIZE, hidden=128, pooled=4, halvings=3, **arguments)
    if channel is not None:
        with torch.no_grad():
            encoder.convolutions.conv1_1.weight[:, [one for one in range(3) if one != channel]] = 0
    encoder.mark_trained()
    encoder.save_pretrained(folder)
    return f"network={folder}"


def check(faces, pictures, tmp_path, capsys):
    assert main(["check-faces", faces, str(pictures), "--json", str(tmp_path / "check.json")]) == 0
    return json.loads((tmp_path / "check.json").read_text(), parse_constant=pytest.fail), capsys.readouterr().out


@pytest.mark.parametrize("assumed", ["rgb", "bgr"])
@pytest.mark.parametrize(("channel", "right"), [(0, "rgb"), (2, "bgr")])
def test_the_order_that_shows_the_persons_is_right_whatever_was_assumed(
    assumed, channel, right, pictures, tmp_path, capsys
):
    faces = stored(tmp_path / "encoder", channel, channel_order=assumed)
    found, text = check(faces, pictures, tmp_path, capsys)
    assert found["order"] == right
    assert f"channel order: {right}" in text
    margin, sign = found["margin"], 1 if right == "rgb" else -1
    assert sign * margin["low"] > 0
    assert sign * margin["high"] > 0
    # Features of both places under both orders, beside the pixels.
    assert set(found["rows"]) == {
        "pixels",
        *(f"{order}, {place}" for order in ("rgb", "bgr") for place in ("before_relu", "after_relu")),
    }
    row = found["rows"][f"{right}, after_relu"]
    assert row["same"] > row["different"]


@pytest.mark.parametrize("seed", range(4))
def test_random_weights_tell_nothing(seed, pictures, tmp_path, capsys):
    found, text = check(stored(tmp_path / "encoder", seed=seed), pictures, tmp_path, capsys)
    assert found["order"] == ""
    assert "channel order: cannot be told: the network tells persons apart no better than their pixels do" in text


def test_too_few_persons_tell_nothing(pictures, tmp_path, capsys):
    few = tmp_path / "few"
    for person in range(4):
        for number in range(3):
            few.mkdir(exist_ok=True)
            picture = (pictures / f"person{person}" / f"{number}.png").read_bytes()
            (few / f"person{person}--{number}.png").write_bytes(picture)
    found, text = check(stored(tmp_path / "encoder", 0), few, tmp_path, capsys)
    assert (found["order"], found["margin"]) == ("", None)
    assert "cannot be told: 4 persons have two pictures or more, expected at least 5" in text
    assert "12 pictures of 4 persons, of 4 two or more" in text


def test_pictures_without_a_face_are_left_out_and_counted(tmp_path):
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "anna_01.png")
    Image.fromarray(np.full((64, 96, 3), 90, np.uint8)).save(tmp_path / "anna_02.png")
    people = read_people(tmp_path)
    assert (people.names, people.people, people.without_face) == (["anna"], [0], ["anna_02"])


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert main(["check-faces", stored(tmp_path / "encoder", 0), str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist, expected a folder of pictures" in capsys.readouterr().err
