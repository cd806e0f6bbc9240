"""ConRe with a discriminator of patches and noise on the latents that the face decoder reads."""

import pytest
import torch
from portrait_stages import FILTERS, ROWS, batches, conre_stage, loader, trainer

from s2tf.losses.adversarial import patch_terms
from s2tf.models.patch_discriminator import PatchDiscriminator

pytestmark = FILTERS
TERMS = {"adversarial_weight": 0.5, "features_weight": 2.0, "r1_weight": 3.0}


def judged(**arguments):
    torch.manual_seed(0)
    return conre_stage(discriminator=PatchDiscriminator(4), lpips_weight=0.0, **{**TERMS, **arguments})


def test_each_term_moves_its_own_network():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(4)
    real, fake = torch.rand(2, 2, 3, 16, 16).mul(2).sub(1).unbind()
    fake.requires_grad_(True)
    for name in ("adversarial", "features", "discriminator", "r1"):
        discriminator.zero_grad()
        fake.grad = None
        patch_terms(discriminator, fake, real)[name].backward()
        moved = any(one.grad is not None and one.grad.abs().sum() > 0 for one in discriminator.parameters())
        assert moved == (name in ("discriminator", "r1")), name
        assert (fake.grad is not None) == (name in ("adversarial", "features")), name
    assert all(one.requires_grad for one in discriminator.parameters())


def test_a_picture_that_is_its_reference_has_no_distance_in_the_maps():
    picture = torch.rand(2, 3, 16, 16)
    assert patch_terms(PatchDiscriminator(4), picture, picture)["features"].item() == 0


def test_a_discriminator_learns_to_tell_sharp_pictures_from_blurred_ones():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8)
    sharp = torch.rand(8, 3, 32, 32).mul(2).sub(1)
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, 1, 2)
    optimizer = torch.optim.Adam(discriminator.parameters(), 3e-3)
    for _ in range(80):
        terms = patch_terms(discriminator, blurred, sharp)
        optimizer.zero_grad()
        (terms["discriminator"] + terms["r1"]).backward()
        optimizer.step()
    with torch.no_grad():
        assert discriminator(sharp).mean() > 1 > -1 > discriminator(blurred).mean()


def test_terms_add_up_once_the_discriminator_has_begun():
    batch = batches(1)[0]
    terms = judged().losses(batch)
    expected = terms["contrastive"] + terms["l1"] + 0.5 * terms["adversarial"] + 2 * terms["features"]
    torch.testing.assert_close(terms["loss"], expected + terms["discriminator"] + 3 * terms["r1"])
    early = judged(adversarial_start=1).losses(batch)
    torch.testing.assert_close(early["loss"], early["contrastive"] + early["l1"])
    assert early["discriminator"].requires_grad


def test_the_noise_on_decoded_latents_has_the_given_share_of_their_spread():
    batch, stage, read = batches(1)[0], judged(latent_noise=0.5), []
    stage.face_decoder.register_forward_pre_hook(lambda network, inputs: read.append(inputs[0].detach()))
    torch.manual_seed(1)
    for _ in range(12):
        stage.train().losses(batch)
    with torch.no_grad():
        z_f = stage.face_encoder(batch["portrait"])
    noise = (torch.stack(read) - z_f) / z_f.std(dim=0, unbiased=False)
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)
    assert abs(noise.mean().item()) < 0.03
    # A preview decodes the latents themselves.
    read.clear()
    stage.eval().samples({**batch, "waveform": torch.zeros(ROWS, 16)}, [])
    torch.testing.assert_close(read[0], stage.face_encoder(batch["portrait"]))


@pytest.mark.parametrize("start", [0, 2])
def test_decoder_and_discriminator_train_together_from_the_given_step(tmp_path, start):
    stage = judged(adversarial_start=start, discriminator_learning_rate=0.01)
    before = {name: value.clone() for name, value in stage.discriminator.state_dict().items()}
    fit = trainer(tmp_path, 2)
    fit.fit(stage, loader(batches(2)))
    moved = any((value != before[name]).any() for name, value in stage.discriminator.state_dict().items())
    assert moved == (start == 0)
    rates = {id(p): group["initial_lr"] for group in fit.optimizers[0].param_groups for p in group["params"]}
    assert {rates[id(p)] for p in stage.discriminator.parameters()} == {0.01}
    assert "discriminator" not in stage.networks()


def test_the_first_step_of_the_discriminator_is_an_ordinary_one(tmp_path):
    """Adam must not count the steps before: with moments of zero its first steps would be ten times too long."""
    stage = judged(adversarial_start=20, discriminator_learning_rate=0.01)
    before = [parameter.detach().clone() for parameter in stage.discriminator.parameters()]
    trainer(tmp_path, 21).fit(stage, loader(batches(1) * 21))
    steps = [(new - old).abs().max() for new, old in zip(stage.discriminator.parameters(), before, strict=True)]
    assert 0 < max(steps) <= 0.0101


@pytest.mark.parametrize("given", [{"adversarial_weight": 0.5}, {"discriminator": PatchDiscriminator(4)}])
def test_a_weight_needs_a_discriminator_and_a_discriminator_a_weight(given):
    with pytest.raises(ValueError, match="expected a discriminator and a weight above 0, or none of them"):
        conre_stage(**given)


def test_a_penalty_of_no_weight_is_not_computed():
    terms = judged(r1_weight=0.0).losses(batches(1)[0])
    assert "r1" not in terms


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match=r"channels 16, fold 0, halvings 2: expected numbers of at least 1"):
        PatchDiscriminator(16, fold=0)
