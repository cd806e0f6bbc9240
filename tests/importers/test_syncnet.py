import torch
from reference_weights import drawn_state, reference, relative_error

from s2tf.cli import main
from s2tf.models.syncnet import SyncNet


@torch.no_grad()
def test_the_imported_network_reproduces_syncnets_embeddings(tmp_path):
    torch.save(drawn_state("syncnet"), tmp_path / "syncnet_v2.model")
    out = tmp_path / "network"
    assert main(["import", "syncnet", str(tmp_path / "syncnet_v2.model"), "--out", str(out)]) == 0
    network = SyncNet.from_pretrained(out).eval()
    assert not network.is_random
    theirs = reference("syncnet")
    frames = (torch.rand(3, 3, 5, 224, 224, generator=torch.Generator().manual_seed(2)) * 255).round()
    made = network(frames, theirs["mfcc"])
    assert relative_error(made.audio, theirs["audio_embedding"]) < 1e-3
    assert relative_error(made.lips, theirs["lip_embedding"]) < 1e-3


def test_another_file_is_refused_by_its_first_tensors(tmp_path, capsys):
    state = drawn_state("syncnet")
    state["netcnnlip.0.weight"] = state["netcnnlip.0.weight"][:, :1]
    torch.save(state, tmp_path / "other.model")
    assert main(["import", "syncnet", str(tmp_path / "other.model"), "--out", str(tmp_path / "network")]) != 0
    assert "netcnnlip.0.weight (96, 1, 5, 7, 7), expected (96, 3, 5, 7, 7)" in capsys.readouterr().err.replace(
        "\n", " "
    )
