"""`s2tf fit`, `prior`, `codes` and `judges`, each on a few speakers and a few steps."""

import json

import numpy as np
import pytest
import torch
from tiny_shards import tiny_shards
from transformers import HubertConfig, HubertModel

from datamodules.shards.writing import read_split
from s2tf.cli import main
from s2tf.demo.train import DEMO_EXPERIMENTS
from s2tf.models.face_prior import FacePrior
from s2tf.models.pretrained_speech import HubertFeatures
from s2tf.nn.network import load_network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards")


def fitted(stage, shards, runs):
    experiment = str(DEMO_EXPERIMENTS / f"{stage}.yaml")
    overrides = [f"vars.shards={shards}", "trainer.max_steps=2", "data.init_args.batch_size=2"]
    assert main(["fit", experiment, *overrides, "--runs", str(runs)]) == 0
    return experiment, overrides


def test_the_prior_records_what_it_was_made_of(shards, tmp_path, capsys):
    fitted("conre", shards, tmp_path / "runs")
    networks = next((tmp_path / "runs").glob("*/*/networks"))
    asked = ["prior", str(DEMO_EXPERIMENTS / "prior.yaml"), f"vars.shards={shards}", f"vars.conre={networks}"]
    out, provenance = tmp_path / "prior", tmp_path / "prior.json"
    assert main([*asked, "prior.faces=2", "--out", str(out), "--json", str(provenance)]) == 0
    assert "prior of 2 faces (1 women, 1 men, 0 of unknown gender)" in capsys.readouterr().out
    recorded = json.loads(provenance.read_text())[str(out)]
    assert (recorded["n"], recorded["female"], recorded["male"], recorded["seed"]) == (2, 1, 1, 0)
    assert FacePrior.from_pretrained(tmp_path / "prior").get_buffer("z_p").abs().sum() > 0
    for change, message in (
        ("prior.faces=200", "needs 100 female and 100 male faces, but the data set has 1 female"),
        ("prior.fases=2", "fases"),
        ("prior.faces=many", "prior.faces"),
    ):
        assert main([*asked, change, "--out", str(out)]) == 2
        assert message in capsys.readouterr().err
    assert main(["prior", str(DEMO_EXPERIMENTS / "scfp.yaml"), *asked[2:], "vars.prior=x", "--out", str(out)]) == 2
    assert "no section 'prior'" in capsys.readouterr().err


def test_every_clip_gets_its_motion_codes(tmp_path, capsys):
    shards = tiny_shards(tmp_path / "shards", size=128)
    fitted("motion_autoencoder", shards, tmp_path / "runs")
    network = next((tmp_path / "runs").glob("*/*/networks/motion_autoencoder"))
    assert main(["codes", str(shards), "--autoencoder", str(network), "--out", str(tmp_path / "codes")]) == 0
    assert "6 clips written with motion codes" in capsys.readouterr().out
    autoencoder = load_network(str(network))
    for sample in read_split(tmp_path / "codes", "test"):
        assert sample.motion().shape == (sample.record.frames, autoencoder.motion_dim)
    again = ["codes", str(tmp_path / "codes"), "--autoencoder", str(network), "--out", str(shards)]
    assert main(again) == 2
    assert f"{shards} holds shards" in capsys.readouterr().err


def test_lips_are_learned_from_features_of_the_whole_recording(shards, tmp_path, capsys):
    hubert = tmp_path / "random" / "hubert"
    config = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    small = HubertConfig(**config, conv_dim=[8] * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2)
    HubertModel(small).save_pretrained(hubert)
    assert main(["features", str(shards), "--hubert", str(hubert), "--out", str(tmp_path / "features")]) == 0
    assert "6 clips written with speech features" in capsys.readouterr().out
    assert main(["shards", str(tmp_path / "features"), "--verify"]) == 0
    network = HubertFeatures(str(hubert)).requires_grad_(False)
    for sample in read_split(tmp_path / "features", "train"):
        whole = network(torch.from_numpy(sample.waveform())[None], sample.record.frames)[0].numpy()
        assert sample.features().shape == (2 * sample.record.frames, 16)
        assert np.allclose(sample.features(), whole, atol=1e-2)
    settings = [
        f"vars.shards={tmp_path / 'features'}",
        "trainer.max_steps=2",
        "data.init_args.batch_size=2",
        "data.init_args.features=true",
        f"model.init_args.speech_features={{class_path: s2tf.models.pretrained_speech.HubertFeatures, "
        f"init_args: {{weights: {hubert}}}}}",
        "model.init_args.lip_landmarks={class_path: s2tf.models.lip_landmarks.LipLandmarks, "
        "init_args: {feature_dim: 16}}",
        "data.init_args.space=false",
        "data.init_args.points=null",
    ]
    experiment = str(DEMO_EXPERIMENTS / "lip_landmarks.yaml")
    assert main(["fit", experiment, *settings, "--runs", str(tmp_path / "runs")]) == 0
