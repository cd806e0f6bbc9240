"""`s2tf report cost`: the networks' parameters and the memory of training them."""

import json
from functools import partial

import pytest
import torch

from s2tf.cli import main
from s2tf.models.face_encoder import FaceEncoder
from s2tf.reporting.costs.memory import estimate_memory, saved_bytes
from s2tf.reporting.costs.parameters import EXPERIMENTS, PAPER


@pytest.mark.slow
def test_both_stages_have_the_papers_parameters_within_five_per_cent_but_for_the_lips_own_network(tmp_path, capsys):
    assert main(["report", "cost", "parameters", "--json", str(tmp_path / "parameters.json")]) == 0
    assert "640 M" in capsys.readouterr().out
    counts = json.loads((tmp_path / "parameters.json").read_text())
    assert counts.keys() == PAPER.keys()
    for stage, networks in counts.items():
        assert networks["total"] == sum(count for name, count in networks.items() if name != "total")
        # The lips' own wav2vec 2.0 takes the second stage a quarter above the paper's number.
        assert networks["total"] - networks.get("lip_landmarks", 0) == pytest.approx(PAPER[stage], rel=0.05)
    # HuBERT-large as it is published.
    assert counts["stage_two"]["speech_features"] == pytest.approx(315e6, rel=0.005)
    wide = [
        "report",
        "cost",
        "parameters",
        "--scfp",
        str(EXPERIMENTS / "scfp_sd15.yaml"),
        "--json",
        str(tmp_path / "wide.json"),
    ]
    assert main(wide) == 0
    assert json.loads((tmp_path / "wide.json").read_text())["stage_one"]["denoiser"] == pytest.approx(860e6, rel=0.005)


@pytest.mark.slow
def test_the_first_stage_fits_the_papers_cards_and_checkpointing_makes_room(tmp_path, capsys):
    assert main(["report", "cost", "memory", "--json", str(tmp_path / "memory.json")]) == 0
    assert "estimated" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "memory.json").read_text())
    assert list(numbers) == ["conre", "scfp", "motion_autoencoder", "codebook", "lip_landmarks", "motion_diffusion"]
    for estimate in (numbers["conre"], numbers["scfp"]):
        assert estimate["batch_32"] < 0.85 * 48e9
        assert estimate["largest_batch_48gb"] >= 32
    saving = tmp_path / "saving.yaml"
    unet = "{unet: {init_args: {gradient_checkpointing: true}}}"
    saving.write_text(
        f"base: {EXPERIMENTS / 'scfp.yaml'}\nmodel: {{init_args: {{diffusion: {{init_args: {unet}}}}}}}\n"
    )
    less = estimate_memory(scfp=saving)["scfp"]
    assert less.per_sample < 0.4 * numbers["scfp"]["per_sample"]
    assert less.weights == numbers["scfp"]["weights"]
    assert less.largest_batch() is None
    four = tmp_path / "four.yaml"
    four.write_text(f"base: {EXPERIMENTS / 'scfp.yaml'}\nmodel: {{init_args: {{draws: 4}}}}\n")
    assert estimate_memory(scfp=four)["scfp"].per_sample == pytest.approx(4 * numbers["scfp"]["per_sample"], rel=0.01)
    learning = estimate_memory(scfp=EXPERIMENTS / "ablations" / "table3" / "saw.yaml")["scfp"]
    assert learning.training == pytest.approx(numbers["scfp"]["training"] + 16 * 148.1e6, rel=0.001)
    assert learning.per_sample > numbers["scfp"]["per_sample"]
    assert estimate_memory(scfp=EXPERIMENTS / "demo" / "scfp.yaml")["scfp"].weights > 0


def test_what_autograd_keeps_is_the_same_on_meta_as_where_it_is_computed():
    kept = {}
    for device in ("cpu", "meta"):
        with torch.device(device):
            encoder = FaceEncoder(64, 1 / 16, 64, hidden=32)
            own = {value.untyped_storage()._cdata for value in encoder.parameters()}
            pictures = [torch.zeros(batch, 3, 64, 64) for batch in (1, 2, 3)]
            kept[device] = [saved_bytes(partial(encoder, picture), own) for picture in pictures]
    assert kept["cpu"] == kept["meta"]
    # By hand: what grows with a sample is the same for each.
    assert kept["cpu"][2] - kept["cpu"][1] == kept["cpu"][1] - kept["cpu"][0] > 0
