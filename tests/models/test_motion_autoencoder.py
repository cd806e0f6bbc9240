import dataclasses

import pytest
import torch

from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer, CodePredictor, FaceCodeEncoder
from s2tf.models.discriminator import Discriminator
from s2tf.models.flow_generator import DirectionBank, FlowGenerator
from s2tf.models.hd_decoder import CodebookDecoder, RGBDecoder
from s2tf.models.image_encoder import ImageEncoder
from s2tf.models.lip_refiner import LipGuider, LipRefiner
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures, from_lia, with_codebook
from s2tf.models.motion_encoder import IdentityEncoder, MotionEncoder
from s2tf.models.motion_reader import MotionReader
from s2tf.nn.lips import mouth_region, place_lips

NARROW = {"channel_base": 128, "channel_max": 16}
LATENT, MOTION = 24, 6
KINDS = ("residual", "normalised")


def build(lip_refiner: bool = True, codebook: bool = True, image_skip: bool = False) -> MotionAutoencoder:
    torch.manual_seed(0)
    refiner = LipRefiner(LipGuider(32, 8, 16, 4, 16), **NARROW, hidden=16) if lip_refiner else None
    decoder = CodebookDecoder(32, 64, 8, 16, 8, (16, 16, 8, 8), 1, **NARROW, image_skip=image_skip)
    return MotionAutoencoder(
        ImageEncoder(32, LATENT, **NARROW),
        IdentityEncoder(LATENT, 2),
        MotionEncoder(LATENT, MOTION, 3),
        FlowGenerator(32, LATENT, MOTION, **NARROW),
        RGBDecoder(32, **NARROW),
        MotionReader(LATENT, MOTION, 16),
        refiner,
        decoder if codebook else None,
    )


def inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.rand(2, batch, 3, 32, 32, generator=generator) * 2 - 1
    lips = torch.rand(batch, 20, 2, generator=generator) - 0.5
    placement = torch.tensor([[0.0, 0.2, -0.7, 0.1]]).expand(batch, -1)
    return source, target, lips, placement


@pytest.mark.parametrize("lip_refiner", [True, False])
@pytest.mark.parametrize("codebook", [True, False])
def test_the_ablations_change_the_output_size_and_nothing_of_the_interface(lip_refiner, codebook):
    model = build(lip_refiner, codebook)
    source, target, lips, placement = inputs()
    rendering = model(source, target, lips, placement)
    size = 64 if codebook else 32
    assert (model.input_size, model.output_size, model.motion_dim) == (32, size, MOTION)
    assert rendering.image.shape == (2, 3, size, size)
    assert rendering.coarse.shape == (2, 3, 32, 32)
    assert rendering.flow.shape == (2, 2, 32, 32)
    assert rendering.occlusion.shape == (2, 1, 32, 32)
    assert rendering.face.lips.shape == (2, 20, 2)
    assert rendering.face.placement.shape == rendering.source_face.placement.shape == (2, 4)
    assert (rendering.code is not None) == codebook


def test_one_source_serves_many_frames_as_if_repeated():
    model = build().eval()
    image, target, lips, placement = inputs(3)
    with torch.no_grad():
        source = model.encode_source(image[:1])
        z_m = model.encode_motion(target)
        together = model.decode(source, z_m, lips, placement).image
        apart = [model.decode(source, z_m[i : i + 1], lips[i : i + 1], placement[i : i + 1]).image for i in range(3)]
    torch.testing.assert_close(together, torch.cat(apart), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="2 sources for 3 motion codes"):
        model.decode(model.encode_source(image[:2]), z_m)


def test_without_lips_the_predicted_mouth_is_drawn():
    model = build().eval()
    image, target, lips, _ = inputs()
    with torch.no_grad():
        for merge in model.lip_refiner.merges.values():
            merge.out.weight.normal_(0, 0.1)
        source, z_m = model.encode_source(image), model.encode_motion(target)
        mouth = model.read_face(source, z_m)
        by_default = model.decode(source, z_m).image
        given = model.decode(source, z_m, mouth.lips, mouth.placement).image
        other = model.decode(source, z_m, lips).image
    torch.testing.assert_close(by_default, given)
    assert not torch.allclose(by_default, other)
    of_source = model.read_face(source)
    torch.testing.assert_close(of_source.lips, model.motion_reader(source.z_id, model.encode_motion(image)).lips)


def test_the_lip_refiner_starts_as_the_identity_and_acts_around_the_mouth_only():
    model = build()
    refiner = model.lip_refiner
    pyramid = tuple(torch.randn(2, width, side, side) for side, width in ((8, 16), (16, 8), (32, 4)))
    _, _, lips, placement = inputs()
    points = place_lips(lips * 0.3, placement)
    for before, after in zip(pyramid, refiner(pyramid, points), strict=True):
        assert torch.equal(before, after)
    for merge in refiner.merges.values():
        torch.nn.init.normal_(merge.out.weight)
    change = (refiner(pyramid, points)[1] - pyramid[1]).abs()
    far = (mouth_region(points, 16) == 0).expand_as(change)
    assert far.any()
    assert change[far].max() == 0
    assert change.max() > 0.1
    assert torch.equal(refiner(pyramid, points)[2], pyramid[2])


def test_the_picture_without_the_refiner_comes_along_where_it_is_asked_for():
    model = build().eval()
    for merge in model.lip_refiner.merges.values():
        torch.nn.init.normal_(merge.out.weight)
    with torch.no_grad():
        plain = model(*inputs(3))
        both = model(*inputs(3), compare_unrefined=2)
        model.lip_refiner = None
        unrefined = model(*inputs(3), compare_unrefined=2)
    assert plain.unrefined is None
    assert unrefined.unrefined is None
    torch.testing.assert_close(both.image, plain.image)
    torch.testing.assert_close(both.unrefined, unrefined.image[:2])
    assert not torch.allclose(both.unrefined, both.image[:2], atol=1e-3)


def test_every_trained_parameter_gets_a_gradient():
    model = build(image_skip=True)
    source, target, lips, placement = inputs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    # Layers that start at zero hold back the gradient of those before them for the first steps.
    for _ in range(3):
        rendering = model(source, target, lips, placement)
        code = rendering.code
        loss = (rendering.image - 0.3).square().mean() + rendering.face.lips.square().mean()
        loss = loss + rendering.face.placement.mean() + (code.z_q - code.z.detach()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    silent = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert silent == []


def test_a_saved_autoencoder_loads_to_the_same_output(tmp_path):
    model = build().eval()
    source, target, lips, placement = inputs()
    model.save_pretrained(tmp_path)
    loaded = MotionAutoencoder.from_pretrained(tmp_path)
    assert loaded.config == model.config
    with torch.no_grad():
        expected = model(source, target, lips, placement).image
        assert torch.equal(loaded(source, target, lips, placement).image, expected)


def test_ablated_parts_survive_saving(tmp_path):
    build(lip_refiner=False, codebook=False).save_pretrained(tmp_path)
    loaded = MotionAutoencoder.from_pretrained(tmp_path)
    assert loaded.codebook is None
    assert loaded.lip_refiner is None


def test_training_starts_by_copying_the_source_with_open_occlusion():
    torch.manual_seed(0)
    wide = {"channel_base": 512, "channel_max": 16}
    networks = [ImageEncoder(32, LATENT, **wide), IdentityEncoder(LATENT), MotionEncoder(LATENT, MOTION)]
    networks += [FlowGenerator(32, LATENT, MOTION, **wide), RGBDecoder(32, **wide), MotionReader(LATENT, MOTION)]
    source, target, _, _ = inputs()
    rendering = MotionAutoencoder(*networks)(source, target)
    assert rendering.flow.abs().max() == 0
    # The FIR takes zeros from beyond the border, as LIA's does.
    assert rendering.occlusion[..., 8:-8, 8:-8].min() > 0.85
    torch.testing.assert_close(rendering.image, source * rendering.occlusion, atol=1e-5, rtol=1e-5)


def test_normalised_blocks_give_the_same_shapes():
    image = torch.randn(2, 3, 32, 32)
    residual, normalised = (ImageEncoder(32, LATENT, **NARROW, blocks=kind)(image) for kind in KINDS)
    assert normalised.latent.shape == residual.latent.shape
    assert [map_.shape for map_ in normalised.pyramid] == [map_.shape for map_ in residual.pyramid]


def test_warped_features_are_masked_and_moved_at_every_scale():
    model = build()
    generator = model.flow_generator
    with torch.no_grad():
        generator.to_flows[0].bias.copy_(torch.tensor([0.25, 0.0, -20.0]))
    pyramid = tuple(torch.randn(1, width, side, side) for side, width in ((8, 16), (16, 8), (32, 4)))
    warped = generator(torch.randn(1, LATENT), torch.randn(1, MOTION), pyramid)
    for z_w, flow in zip(warped.pyramid, warped.flows, strict=True):
        quarter = flow.shape[-1] // 4
        inside, middle = flow[:, 0, quarter:-quarter, quarter:-quarter], z_w[..., quarter:-quarter, quarter:-quarter]
        assert middle.abs().max() < 1e-6
        torch.testing.assert_close(inside, torch.full_like(inside, 0.25).tanh())


def test_directions_are_orthonormal_and_the_cached_ones_follow_the_weight():
    bank = DirectionBank(12, 4)
    with torch.no_grad():
        basis = bank.basis()
        torch.testing.assert_close(basis.T @ basis, torch.eye(4))
        assert bank.basis() is basis
        bank.weight.mul_(-1).add_(0.1)
        assert not torch.allclose(bank.basis(), basis)
    assert bank(torch.randn(3, 4)).grad_fn is not None


def test_fidelity_zero_is_the_codebook_alone():
    model = build().eval()
    source, target, lips, placement = inputs()
    with torch.no_grad():
        features, z_m = model.encode_source(source), model.encode_motion(target)
        changed = dataclasses.replace(features, pyramid=(*features.pyramid[:2], features.pyramid[2] + 1))
        assert isinstance(changed, SourceFeatures)
        full, fine = (model.decode(each, z_m, lips, placement).image for each in (features, changed))
        coarse, blind = (model.decode(each, z_m, lips, placement, fidelity=0).image for each in (features, changed))
    assert not torch.allclose(full, fine)
    torch.testing.assert_close(coarse, blind)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_discriminator_takes_any_batch(batch):
    assert Discriminator(32, **NARROW)(torch.randn(batch, 3, 32, 32)).shape == (batch,)


def test_discriminator_sees_how_pictures_of_a_batch_differ():
    torch.manual_seed(0)
    discriminator = Discriminator(16, **NARROW)
    image = torch.randn(1, 3, 16, 16)
    alone = discriminator(image)
    repeated = discriminator(image.repeat(4, 1, 1, 1))
    varied = discriminator(torch.cat([image, torch.randn(3, 3, 16, 16)]))
    torch.testing.assert_close(alone, repeated[:1])
    assert (varied[0] - alone).abs() > 1e-4


def test_parameters_at_the_papers_size_are_those_of_lia_and_codeformer():
    with torch.device("meta"):
        lia = [ImageEncoder(), MotionEncoder(), FlowGenerator(), RGBDecoder()]
        hd = CodebookDecoder()
        discriminator = Discriminator()
    assert sum(network.parameter_count for network in lia) == pytest.approx(45.12e6, rel=0.002)
    assert discriminator.parameter_count == pytest.approx(24.00e6, rel=0.002)
    extra = sum(level.fusion.encode.conv1.weight.numel() > 0 for level in hd.generator.levels if level.fusion)
    assert extra == 4
    fusions = sum(p.numel() for level in hd.generator.levels if level.fusion for p in level.fusion.parameters())
    to_code = sum(p.numel() for p in hd.to_code.parameters())
    assert hd.parameter_count - fusions - to_code == pytest.approx(34.32e6, rel=0.002)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="size is 48"):
        ImageEncoder(48)
    with pytest.raises(ValueError, match="widths has 2 numbers, expected 4"):
        CodebookDecoder(32, 64, 8, widths=(8, 8))
    with pytest.raises(ValueError, match="different size"):
        MotionAutoencoder(
            ImageEncoder(32, LATENT, **NARROW),
            IdentityEncoder(LATENT),
            MotionEncoder(LATENT, MOTION),
            FlowGenerator(64, LATENT, MOTION, **NARROW),
            RGBDecoder(32, **NARROW),
            MotionReader(LATENT, MOTION),
        )
    with pytest.raises(ValueError, match="image encoder's size is 32"):
        build().encode_motion(torch.zeros(1, 3, 64, 64))


def codeformer(width: int = 8) -> CodeFormer:
    torch.manual_seed(1)
    generator = CodebookGenerator(8, 64, 8, (16, 16, width, 8), 1, ((16, 16), (32, width)))
    return CodeFormer(
        FaceCodeEncoder(64, 8, (4, 8, 8, 16), 1), CodePredictor(8, 64, 12, 16, 1, 2, 16), generator, 12, 8
    )


def test_the_codebook_starts_from_codeformer_and_is_saved_without_it(tmp_path):
    source = codeformer()
    source.save_pretrained(tmp_path / "codeformer")
    sizes = {"size": 32, "output_size": 64, "latent_side": 8, "codes": 12, "code_dim": 8, "widths": (16, 16, 8, 8)}
    decoder = CodebookDecoder(**sizes, res_blocks=1, **NARROW, weights=str(tmp_path / "codeformer"))
    codes = torch.randn(1, 8, 8, 8)
    assert torch.equal(decoder.quantiser.embedding.weight, source.quantiser.embedding.weight)
    torch.testing.assert_close(decoder.generator(codes, {}), source.generator(codes, {}))
    decoder.save_pretrained(tmp_path / "decoder")
    (tmp_path / "codeformer" / "config.json").unlink()
    again = CodebookDecoder.from_pretrained(tmp_path / "decoder")
    torch.testing.assert_close(again.generator(codes, {}), source.generator(codes, {}))


def test_a_codeformer_of_other_sizes_is_refused_by_its_first_tensor(tmp_path):
    codeformer(width=4).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"does not fit: generator\.levels.* differ"):
        CodebookDecoder(32, 64, 8, 12, 8, (16, 16, 8, 8), 1, **NARROW, weights=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        CodebookDecoder(32, 64, 8, 12, 8, (16, 16, 8, 8), 1, **NARROW, weights=str(tmp_path / "nowhere"))


def test_an_earlier_autoencoder_gets_a_codebook_and_is_saved_with_it(tmp_path):
    earlier = build(codebook=False)
    earlier.save_pretrained(tmp_path / "earlier")
    decoder = CodebookDecoder(32, 64, 8, 16, 8, (16, 16, 8, 8), 1, **NARROW)
    network = with_codebook(str(tmp_path / "earlier"), decoder).eval()
    source, target = torch.rand(2, 1, 3, 32, 32)
    rendering = network(source, target)
    torch.testing.assert_close(rendering.coarse, earlier.eval()(source, target).image)
    assert rendering.image.shape == (1, 3, 64, 64)
    network.save_pretrained(tmp_path / "both")
    with pytest.raises(ValueError, match="has a codebook already"):
        with_codebook(str(tmp_path / "both"), decoder)
    torch.testing.assert_close(
        MotionAutoencoder.from_pretrained(tmp_path / "both").eval()(source, target).image, rendering.image
    )


def test_an_autoencoder_starts_from_lia(tmp_path):
    parts = {
        "image_encoder": ImageEncoder(32, LATENT, **NARROW),
        "motion_encoder": MotionEncoder(LATENT, MOTION),
        "flow_generator": FlowGenerator(32, LATENT, MOTION, **NARROW, convention="lia"),
        "decoder": RGBDecoder(32, **NARROW, activated=True),
    }
    for name, part in parts.items():
        part.save_pretrained(tmp_path / name)
    network = from_lia(str(tmp_path), MotionReader(LATENT, MOTION)).eval()
    source, target = torch.rand(2, 1, 3, 32, 32)
    encoded = parts["image_encoder"](source)
    z_m = parts["motion_encoder"](parts["image_encoder"](target).latent)
    expected = parts["decoder"](parts["flow_generator"](encoded.latent, z_m, encoded.pyramid).pyramid)
    # LIA has no identity encoder: the latent itself is the identity.
    torch.testing.assert_close(network(source, target).image, expected)
    network.save_pretrained(tmp_path / "whole")
    again = MotionAutoencoder.from_pretrained(tmp_path / "whole").eval()
    torch.testing.assert_close(again(source, target).image, expected)
