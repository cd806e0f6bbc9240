"""Codes by CodeFormer's predictor: the picture is the one that CodeFormer makes of the same latents."""

import pytest
import torch
from narrow_autoencoder import NARROW, narrow_autoencoder, narrow_codeformer

from s2tf.models.codeformer import CodePredictor
from s2tf.models.hd_decoder import CodebookDecoder
from s2tf.models.predicted_codes import check_code_predictor, kept_codes, predicted_codes, read_code_predictor
from s2tf.nn.quantiser import VectorQuantiser

SIZES = {"size": 16, "output_size": 32, "latent_side": 8, "codes": 12, "code_dim": 8, "widths": (16, 8, 4)}


class Given(torch.nn.Module):
    """CodeFormer's encoder, whose latent is given."""

    def __init__(self, latent):
        super().__init__()
        self.latent = latent

    def forward(self, image):
        return self.latent, {}


def pyramid(rows):
    return tuple(torch.randn(rows, width, side, side) for side, width in ((8, 16), (16, 8)))


@torch.no_grad()
@pytest.mark.parametrize("code_widths", [None, (4, 8, 16)])
def test_the_picture_is_codeformers_own_of_the_same_latents(tmp_path, code_widths):
    codeformer = narrow_codeformer()
    codeformer.save_pretrained(tmp_path)
    decoder = CodebookDecoder(
        **SIZES, **NARROW, res_blocks=1, weights=str(tmp_path), code_widths=code_widths, fidelity=0.0
    ).eval()
    latents = pyramid(3)
    nearest = decoder(latents, None)
    # CodeFormer goes on from the latents of our encoder.
    codeformer.encoder = Given(nearest.code.z)
    restored = codeformer(torch.zeros(3, 3, 32, 32), fidelity=0.0)
    predicted = decoder(latents, None, change_codes=predicted_codes(codeformer.predictor, decoder))
    assert torch.equal(predicted.image, restored.image)
    assert not torch.allclose(predicted.image, nearest.image, atol=1e-3)
    # They are codes, not the latents or a mixture.
    chosen = predicted_codes(codeformer.predictor, decoder)(nearest.code)
    assert all((code == decoder.quantiser.embedding.weight).all(dim=1).any() for code in chosen[0].flatten(1).T)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            (8, 64, 99),
            "is for 99 codes of length 8 at 64 places, but the codebook has 12 codes of length 8 at 64 ",
        ),
        ((4, 64, 12), "is for 12 codes of length 4 at 64 places"),
        ((8, 16, 12), "is for 12 codes of length 8 at 16 places"),
    ],
)
def test_a_predictor_of_other_sizes_is_refused(tmp_path, sizes, message):
    decoder = CodebookDecoder(**SIZES, **NARROW, res_blocks=1)
    predictor = CodePredictor(*sizes, 16, 1, 2, 16)
    with pytest.raises(ValueError, match=message):
        check_code_predictor(predictor, decoder)
    predictor.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path} does not fit: the code predictor {message}"):
        read_code_predictor(tmp_path, {"motion_autoencoder": narrow_autoencoder(codes=12)})


def test_a_predictor_needs_a_codebook():
    with pytest.raises(ValueError, match="needs a codebook, but the motion autoencoder has none"):
        check_code_predictor(CodePredictor(8, 64, 12, 16, 1, 2, 16), None)


@torch.no_grad()
def test_the_predictor_is_read_from_codeformer_or_alone(tmp_path):
    codeformer, components = narrow_codeformer(), {"motion_autoencoder": narrow_autoencoder(codes=12)}
    codeformer.save_pretrained(tmp_path / "whole")
    codeformer.predictor.save_pretrained(tmp_path / "alone")
    quantiser = components["motion_autoencoder"].codebook.quantiser
    quantiser.embedding.weight.copy_(codeformer.quantiser.embedding.weight)
    (whole, note), (alone, _) = (read_code_predictor(tmp_path / name, components) for name in ("whole", "alone"))
    assert whole.fingerprint() == alone.fingerprint() == codeformer.predictor.fingerprint()
    assert "12 of 12 codes are nearest to CodeFormer's own" in note
    codeformer.generator.save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="other holds a CodebookGenerator, expected a CodeFormer or a CodePredictor"):
        read_code_predictor(tmp_path / "other", components)
    with pytest.raises(FileNotFoundError, match=r"nowhere/config.json is missing"):
        read_code_predictor(tmp_path / "nowhere", components)


@torch.no_grad()
def test_codes_that_training_moved_are_counted():
    known, trained = VectorQuantiser(12, 8), VectorQuantiser(12, 8)
    trained.embedding.weight.copy_(known.embedding.weight)
    trained.embedding.weight[:5] += 9.0
    assert kept_codes(known, trained) == 7
