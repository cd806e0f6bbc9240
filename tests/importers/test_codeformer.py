import pytest
import torch
from reference_weights import drawn_state, reference, relative_error

from s2tf.cli import main
from s2tf.models.codeformer import CodeFormer


@torch.no_grad()
@pytest.mark.slow
def test_the_imported_network_reproduces_codeformers_latent_codes_and_images(tmp_path):
    torch.save({"params_ema": drawn_state("codeformer")}, tmp_path / "codeformer.pth")
    out = tmp_path / "codeformer"
    assert main(["import", "codeformer", str(tmp_path / "codeformer.pth"), "--out", str(out)]) == 0
    network = CodeFormer.from_pretrained(out).eval()
    theirs = reference("codeformer")
    picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(1)) * 2 - 1

    latent, features = network.encoder(picture)
    assert relative_error(latent[..., ::2, ::2], theirs["encoder_latent_every2"]) < 1e-3
    logits = network.predictor(latent)
    assert relative_error(logits[:, ::16], theirs["token_logits_every16"]) < 1e-3
    quantised = network.quantiser(latent)
    assert torch.equal(quantised.indices.flatten(), theirs["nearest_code_of_latent"])
    image = network.generator(quantised.z_q, {})
    assert relative_error(image[..., ::32, ::32], theirs["generator_of_quantised_every32"]) < 1e-3
    chosen = network.quantiser.embedding(logits.argmax(dim=2)).transpose(1, 2).reshape(latent.shape)
    for name, fidelity in (("image_w0_every32", 0.0), ("image_w01_every32", 0.1)):
        image = network.generator(chosen, features, fidelity)
        assert relative_error(image[..., ::32, ::32], theirs[name]) < 1e-3


def test_a_file_of_something_else_is_refused(tmp_path, capsys):
    torch.save({"params_ema": {"encoder.blocks.0.weight": torch.zeros(3)}}, tmp_path / "other.pth")
    assert main(["import", "codeformer", str(tmp_path / "other.pth"), "--out", str(tmp_path / "out")]) == 2
    assert "is missing, expected" in capsys.readouterr().err
    torch.save([1, 2], tmp_path / "list.pth")
    assert main(["import", "codeformer", str(tmp_path / "list.pth"), "--out", str(tmp_path / "out")]) == 2
    assert "expected tensors by name, or under params_ema" in capsys.readouterr().err


@torch.no_grad()
def test_the_whole_network_takes_the_likeliest_codes():
    from s2tf.models.codebook_generator import CodebookGenerator
    from s2tf.models.codeformer import CodePredictor, FaceCodeEncoder

    torch.manual_seed(0)
    encoder = FaceCodeEncoder(32, 8, (4, 8, 16), 1)
    predictor = CodePredictor(8, 64, 12, 16, 2, 2, 32)
    generator = CodebookGenerator(8, 32, 8, (16, 8, 4), 1, ((16, 8), (32, 4)))
    network = CodeFormer(encoder, predictor, generator, 12, 8).eval()
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    pure, faithful = network(picture, 0.0), network(picture, 1.0)
    assert pure.logits.shape == (2, 64, 12)
    assert pure.image.shape == picture.shape
    codes = network.quantiser.embedding.weight[pure.logits.argmax(dim=2)]
    expected = generator(codes.transpose(1, 2).reshape(2, 8, 8, 8), {})
    torch.testing.assert_close(pure.image, expected)
    assert not torch.allclose(faithful.image, pure.image)
