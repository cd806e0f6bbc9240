import pytest
import torch
import torch.nn.functional as F

from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer, CodePredictor, FaceCodeEncoder
from s2tf.models.hd_decoder import CodebookDecoder

NARROW = {"channel_base": 128, "channel_max": 16}
SIZES = {"size": 32, "output_size": 64, "latent_side": 8, "codes": 12, "code_dim": 8, "widths": (16, 16, 8, 8)}
ENCODER = {"code_widths": (4, 8, 8, 16), "res_blocks": 1}


def decoder(**arguments) -> CodebookDecoder:
    torch.manual_seed(0)
    return CodebookDecoder(**SIZES | NARROW | ENCODER | arguments).eval()


def pyramid(rows: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(
        torch.randn(rows, width, side, side, generator=generator) for side, width in ((8, 16), (16, 8), (32, 4))
    )


def codeformer(width: int = 16) -> CodeFormer:
    torch.manual_seed(1)
    generator = CodebookGenerator(8, 64, 8, SIZES["widths"], 1, ((16, 16), (32, 8)))
    return CodeFormer(
        FaceCodeEncoder(64, 8, (4, 8, 8, width), 1), CodePredictor(8, 64, 12, 16, 1, 2, 16), generator, 12, 8
    )


@torch.no_grad()
def test_without_fusion_the_codes_alone_give_the_picture():
    """Eq. 18: two pictures with the same codes are the same, whatever their latents."""
    network = decoder(fused_sides=())
    codes = torch.randn(2, 8, 8, 8)
    pictures = [
        network(tuple(value * z for z in pyramid()), None, fidelity, lambda code: codes).image
        for value, fidelity in ((1.0, 1.0), (-3.0, 0.0))
    ]
    assert torch.equal(*pictures)


@torch.no_grad()
def test_each_row_has_its_own_fidelity():
    network = decoder(fused_sides=(16,), fidelity=0.5)
    together = network(pyramid(), None, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)).image
    none, full = (network(pyramid(), None, fidelity).image for fidelity in (0.0, 1.0))
    torch.testing.assert_close(together, torch.stack([none[0], full[1]]), atol=1e-5, rtol=1e-4)
    own = network(pyramid(), None).image
    assert torch.equal(own, network(pyramid(), None, 0.5).image)
    assert not torch.allclose(own, none, atol=1e-4)


@torch.no_grad()
def test_the_codes_are_read_from_the_latents_of_every_side():
    network, latents = decoder(), pyramid()
    for convolution in network.to_code.added:
        torch.nn.init.normal_(convolution.weight)
    before = network(latents, None).code.z
    for side in range(3):
        changed = tuple(z + (index == side) * torch.randn_like(z) for index, z in enumerate(latents))
        assert not torch.allclose(network(changed, None).code.z, before, atol=1e-3)


@torch.no_grad()
def test_encoder_generator_and_one_fusion_start_from_codeformer(tmp_path):
    source = codeformer()
    source.save_pretrained(tmp_path)
    network = decoder(weights=str(tmp_path), fused_sides=(16,))
    for ours, theirs in zip(network.to_code.levels, source.encoder.levels[1:], strict=True):
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name])
    x = torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(network.to_code.tail(x), source.encoder.tail(x))
    codes, faithful = torch.randn(1, 8, 8, 8), {16: torch.randn(1, 16, 16, 16)}
    torch.testing.assert_close(network.generator(codes, {}), source.generator(codes, {}))
    fusion = network.generator.levels[1].fusion
    assert torch.equal(fusion.scale[0].weight, source.generator.levels[1].fusion.scale[0].weight)
    assert network.generator.levels[2].fusion is None
    assert faithful[16].shape[1] == 16
    # CodeFormer's codes are not dead at the start.
    assert network.quantiser.dead == 0


def test_an_encoder_of_other_widths_is_refused(tmp_path):
    codeformer(width=8).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"does not fit code_widths: .*size mismatch"):
        decoder(weights=str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fused_sides": (8,)}, r"fused_sides has 8, expected sides of \[16, 32\]"),
        (
            {"code_widths": (8, 8)},
            r"code_widths has 2 numbers, expected 4: the entrance's, then one per side in \[32, ",
        ),
        ({"code_patches": True, "image_skip": True}, "code_patches and image_skip are both true"),
        ({"code_patches": True, "code_dim": 2}, "code_dim is 2, expected at least 3 with code_patches"),
        ({"fidelity": 2.0}, r"fidelity is 2.0, expected 0 \(codes alone\) to 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        decoder(**arguments)


def test_a_saved_decoder_loads_to_the_same_picture(tmp_path):
    network = decoder(fused_sides=(16,), fidelity=0.5, code_patches=True, attention=False)
    network.save_pretrained(tmp_path)
    again = CodebookDecoder.from_pretrained(tmp_path)
    coarse = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(pyramid(), coarse).image, network(pyramid(), coarse).image)


@torch.no_grad()
def test_with_patches_training_starts_between_the_cells_of_the_codes_and_the_enlarged_picture():
    network = decoder(fused_sides=(16,), code_patches=True, attention=False, code_dim=12)
    coarse = torch.rand(2, 3, 32, 32)
    of_codes, half, enlarged = (network(pyramid(), coarse, w, lambda code: code.z).image for w in (0.0, 0.5, 1.0))
    # Twelve numbers of a code are the means of the patch's 2 x 2 cells of 2 px.
    cells = F.interpolate(F.avg_pool2d(coarse, 2), scale_factor=2.0)
    torch.testing.assert_close(of_codes, F.interpolate(cells, scale_factor=2.0, mode="bicubic"))
    torch.testing.assert_close(enlarged, F.interpolate(coarse, scale_factor=2.0, mode="bicubic"))
    torch.testing.assert_close(half, (of_codes + enlarged) / 2)
    without = network(pyramid(), coarse, 1.0, lambda code: torch.zeros_like(code.z)).image
    torch.testing.assert_close(without, enlarged)
