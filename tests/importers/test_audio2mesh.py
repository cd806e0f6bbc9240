import pytest
import torch
from reference_weights import drawn_state, reference, relative_error

from s2tf.cli import main
from s2tf.faces.face_mesh import MESH_TO_IBUG
from s2tf.models.audio_to_mesh import AudioToMesh, lips_of_mesh
from s2tf.nn.lips import MESH_LIPS


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.parametrize("old_names", [False, True])
def test_the_imported_network_reproduces_aniportraits_offsets(old_names, tmp_path, capsys):
    state = drawn_state("audio2mesh")
    if old_names:
        start = "audio_encoder.encoder.pos_conv_embed.conv."
        for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
            state[start + old] = state.pop(f"{start}parametrizations.weight.{new}")
    torch.save(state, tmp_path / "audio2mesh.pt")
    out = tmp_path / "network"
    assert main(["import", "audio2mesh", str(tmp_path / "audio2mesh.pt"), "--out", str(out)]) == 0
    network = AudioToMesh.from_pretrained(out).eval()
    theirs = reference("audio2mesh")
    waveform = torch.randn(1, 32000, generator=torch.Generator().manual_seed(1))
    offsets = network.offsets(waveform, 60)
    assert offsets.shape == (1, 60, 468, 3)
    assert relative_error(offsets.flatten(2)[..., :60], theirs["landmark_offsets"]) < 1e-3
    assert relative_error(offsets.flatten(2).mean(dim=1), theirs["landmark_offsets_mean"]) < 1e-3
    # Sound of any loudness is normalised first.
    torch.testing.assert_close(network(0.1 * waveform + 0.3, 60), network(waveform, 60), rtol=1e-3, atol=1e-3)


def test_the_lips_are_a_selection_of_the_mesh_in_the_order_of_the_landmarks():
    assert [(vertex,) for vertex in MESH_LIPS] == list(MESH_TO_IBUG[48:])
    mesh = torch.arange(468.0)[None, None, :, None].expand(1, 2, 468, 3)
    assert lips_of_mesh(mesh).shape == (1, 2, 20, 3)
    assert lips_of_mesh(mesh)[0, 0, :, 0].tolist() == list(MESH_LIPS)
