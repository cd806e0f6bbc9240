"""Experiments of earlier versions: what they do not name is what it was."""

import pytest

from s2tf.config import EXPERIMENTS, compose, identity_hash
from s2tf.errors import UserError
from s2tf.runs.build import build


def conre(shards, **face_encoder):
    """ConRe at debug width with other arguments of its face encoder; None takes one out."""
    config = compose(
        EXPERIMENTS / "conre.yaml", [f"+{EXPERIMENTS / 'debug/conre.yaml'}", f"vars.shards={shards}", "vars.dim=64"]
    )
    arguments = {**config["model"]["init_args"]["face_encoder"]["init_args"], **face_encoder}
    config["model"]["init_args"]["face_encoder"]["init_args"] = {
        name: value for name, value in arguments.items() if value is not None
    }
    return config


def test_a_run_that_was_begun_with_bgr_goes_on_with_it(tmp_path):
    new, old = conre(tmp_path), conre(tmp_path, channel_order=None)
    assert build(new).model.face_encoder.channel_order == "rgb"
    before = identity_hash(old)
    encoder = build(old).model.face_encoder
    assert (encoder.channel_order, encoder.feature) == ("bgr", "before_relu")
    # The run keeps its folder.
    assert identity_hash(old) == before


def test_a_start_from_a_file_of_weights_with_the_earlier_order_is_said(tmp_path):
    config = conre(tmp_path, channel_order=None, weights="vgg.pth")
    with pytest.warns(UserWarning, match=r"FaceEncoder: channel_order bgr, as in runs of earlier versions"):
        build(config, instantiate=False)


def test_an_experiment_of_priors_is_sent_to_its_command():
    with pytest.raises(UserError, match="`prior:` and no `model:`: nothing is trained, expected `s2tf prior`"):
        build(compose(EXPERIMENTS / "prior.yaml", missing="random"))
