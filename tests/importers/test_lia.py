import argparse

import pytest
import torch
import torch.nn.functional as F
from reference_weights import drawn_state, reference, relative_error

from s2tf.cli import main
from s2tf.importers.lia import import_lia
from s2tf.nn.network import load_network


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("lia") / "vox.pt"
    torch.save({"gen": drawn_state("lia", equalised=True), "args": argparse.Namespace(size=256)}, path)
    return path


@torch.no_grad()
@pytest.mark.slow
def test_the_imported_parts_reproduce_lias_latent_motion_features_and_image(file, tmp_path, capsys):
    assert main(["import", "lia", str(file), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "not used, LIA gives its noise layers no noise: dec.conv1.noise.weight" in printed
    names = ("image_encoder", "motion_encoder", "flow_generator", "decoder")
    encoder, motion, flow, decoder = (load_network(str(tmp_path / name)).eval() for name in names)
    theirs = reference("lia")
    source, target = (
        F.interpolate(theirs[f"{name}_16"], size=256, mode="bicubic", align_corners=False)
        for name in ("source", "target")
    )
    encoded = encoder(source)
    z_m = motion(encoder(target).latent)
    image = decoder(flow(encoded.latent, z_m, encoded.pyramid).pyramid)
    assert relative_error(encoded.latent, theirs["source_latent"]) < 1e-3
    assert relative_error(z_m, theirs["target_motion"]) < 1e-3
    for features in encoded.pyramid:
        mean = theirs[f"feature_mean_{features.shape[-1]}"]
        assert relative_error(features.mean(dim=(2, 3)), mean) < 1e-3
    assert relative_error(image[..., ::8, ::8], theirs["image_every8"]) < 1e-3


@pytest.mark.slow
def test_every_tensor_of_the_file_is_used_or_unused_for_a_reason(file):
    imported = import_lia(file)
    count = sum(len(network.state_dict()) for network in imported.networks.values())
    assert count + len(imported.unused) == len(drawn_state("lia", equalised=True))
    assert set(imported.unused.values()) == {
        "the blur (1, 3, 3, 1), which ours computes",
        "LIA gives its noise layers no noise",
        "LIA never calls the layer to colours at 4 × 4",
    }


@pytest.mark.slow
def test_a_file_of_another_generator_is_refused_by_its_tensors(tmp_path, capsys):
    state = drawn_state("lia", equalised=True)
    state["enc.fc.4.weight"] = torch.zeros(6, 512)
    del state["dec.input.input"]
    state["dec.to_flows.6.bias"] = torch.zeros(1, 3, 1, 1)
    torch.save(state, tmp_path / "other.pt")
    assert main(["import", "lia", str(tmp_path / "other.pt"), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "enc.fc.4.weight (6, 512), expected (20, 512)" in message
    assert "dec.input.input is missing, expected (1, 512, 4, 4)" in message
    assert "dec.to_flows.6.bias (1, 3, 1, 1), which is not known" in message
