import lightning as L
import pytest
import torch
from frame_pair_rows import rows
from narrow_autoencoder import NARROW, narrow_autoencoder, narrow_parts
from optimizers import optimizer_of
from torch.utils.data import DataLoader

from s2tf.losses.vgg import VGGPyramid
from s2tf.models.discriminator import Discriminator
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.lips import mouth_region
from s2tf.stages.lip_noise import noisy_lips, placement_deviations
from s2tf.stages.motion_autoencoder import LossWeights, MotionAutoencoderStage

pytestmark = [
    # Raised by Lightning itself, or about the small loaders and the frozen loss network of these tests.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
]


def autoencoder(codebook: bool = True) -> MotionAutoencoder:
    torch.manual_seed(0)
    return narrow_autoencoder(codebook=codebook)


def stage(**kwargs) -> MotionAutoencoderStage:
    weights = LossWeights(vgg=0.1, adversarial=0.1)
    arguments = {"vgg": VGGPyramid("random", 2, 1, 0.1), "weights": weights} | kwargs
    return MotionAutoencoderStage(autoencoder(), Discriminator(32, **NARROW), **arguments)


QUIET = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def fit(module, count=4, **kwargs) -> L.Trainer:
    loader = DataLoader(rows(count), batch_size=4)
    trainer = L.Trainer(logger=False, accelerator="cpu", log_every_n_steps=1, **QUIET, **kwargs)
    trainer.fit(module, loader, loader)
    return trainer


@pytest.mark.slow
def test_the_loss_falls_on_one_batch():
    module = stage(learning_rate=0.01, ordinary_learning_rate=0.003)
    losses = []
    module.log_losses = lambda split, values, size: losses.append((split, float(values["l1"].detach())))
    fit(module, max_steps=20)
    trained = [value for split, value in losses if split == "train"]
    assert sum(trained[-3:]) < 0.9 * sum(trained[:3])


def test_clipping_accumulation_and_steps_work_with_both_networks_training():
    module = stage(schedule="cosine")
    before = [parameter.clone() for parameter in module.parameters()]
    trainer = fit(module, count=16, max_steps=3, gradient_clip_val=1.0, accumulate_grad_batches=2)
    assert trainer.global_step == 3
    assert trainer.fit_loop.total_batch_idx + 1 == 6
    moved = [not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True) if b.requires_grad]
    assert sum(moved) > 0.95 * len(moved)
    values = {name: float(value) for name, value in trainer.callback_metrics.items()}
    for name in ("train/discriminator", "train/r1"):
        assert (name in values) == (name == "train/discriminator")
    assert {"val/psnr", "val/ssim", "val/psnr_copy_source", "val/psnr_gain", "val/perplexity"} <= values.keys()
    assert values["val/psnr_gain"] == pytest.approx(values["val/psnr"] - values["val/psnr_copy_source"], abs=1e-4)


def test_the_discriminator_waits_for_its_start_with_zero_gradients():
    module = stage(adversarial_start=2)
    before = [parameter.clone() for parameter in module.discriminator.parameters()]
    trainer = fit(module, count=8, max_steps=2)
    assert all(torch.equal(a, b) for a, b in zip(before, module.discriminator.parameters(), strict=True))
    assert "train/discriminator" not in trainer.callback_metrics
    module = stage(adversarial_start=2)
    module.log_losses = lambda split, values, size: None
    module.training_step(torch.utils.data.default_collate(rows()), 0).backward()
    assert all(parameter.grad.abs().max() == 0 for parameter in module.discriminator.parameters())


def test_the_networks_take_turns():
    module = stage(alternate=True, adversarial_start=2)
    moved = []

    class Watch(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.before = {name: value.clone() for name, value in pl_module.named_parameters()}

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            changed = {name for name, value in pl_module.named_parameters() if not value.equal(self.before[name])}
            moved.append({name.partition(".")[0] for name in changed})

    fit(module, count=24, max_steps=6, callbacks=[Watch()])
    generator, discriminator = {"autoencoder"}, {"discriminator"}
    assert moved == [generator, generator, generator, discriminator, generator, discriminator]


def test_the_code_is_asked_for_blinks():
    """Lids that are off by the same distance cost more where they change how far the eye is open."""
    module, batch = stage(), torch.utils.data.default_collate(rows())
    rendering = module.autoencoder(batch["source"], batch["target"])
    losses = []
    for lower in (0.0, 0.05, -0.05):
        eyes = rendering.face.eyes.detach().clone()
        # Upper lids go down by 0.05; the lower ones stay, go along, or come up.
        eyes[:, [1, 2, 7, 8], 1] += 0.05
        eyes[:, [5, 4, 11, 10], 1] += lower
        losses.append(
            float(module._generator_terms(rendering, {**batch, "target_eyes": eyes})["motion_reader"].detach())
        )
    moved, met = losses[1], losses[2]
    # By hand: the openings differ by 0.1, whose square over 0.05 is 0.2.
    assert met - moved == pytest.approx(0.2, abs=1e-4)
    assert losses[0] > moved


def test_the_gradient_penalty_reaches_the_discriminator():
    module = stage(weights=LossWeights(r1=10.0, vgg=0.0))
    trainer = fit(module, max_steps=2)
    assert trainer.callback_metrics["train/r1"] > 0


@pytest.mark.slow
def test_the_refiner_learns_to_stay_at_the_mouth():
    """The codebook's generator normalises over the whole picture, and so spreads what the refiner does."""

    def reach(weight: float) -> float:
        module = stage(weights=LossWeights(vgg=0.0, adversarial=0.0, outside_mouth=weight), ordinary_learning_rate=1e-3)
        for merge in module.autoencoder.lip_refiner.merges.values():
            torch.nn.init.normal_(merge.out.weight, std=0.1)
        fit(module, max_steps=20)
        batch = torch.utils.data.default_collate(rows())
        for network in (module, module.autoencoder):
            network.eval()
        with torch.no_grad():
            made = module.autoencoder(batch["source"], batch["target"], compare_unrefined=4)
        elsewhere = (mouth_region(made.mouth, 32) == 0).expand_as(made.image)
        assert elsewhere.any()
        change = (made.image - made.unrefined).abs()
        return float(change[elsewhere].mean() / change[~elsewhere].mean())

    assert reach(3.0) < 0.5 * reach(0.0)


def test_without_a_refiner_there_is_nothing_to_keep_at_the_mouth():
    network = MotionAutoencoder(**narrow_parts() | {"lip_refiner": None})
    module = MotionAutoencoderStage(network, weights=LossWeights(outside_mouth=1.0))
    trainer = fit(module, max_steps=1)
    assert "train/elsewhere" not in trainer.callback_metrics


def test_parts_can_be_left_out():
    module = MotionAutoencoderStage(autoencoder(codebook=False))
    loader = rows()
    batch = torch.utils.data.default_collate(loader)
    batch["target_output"], batch["source_output"] = batch["target"], batch["source"]
    module.log_losses = lambda split, values, size: None
    module.training_step(batch, 0).backward()
    assert len(optimizer_of(module).param_groups) == 2
    assert module.networks().keys() == {"motion_autoencoder"}


def test_a_loss_that_is_not_finite_stops_with_the_clips_names(tmp_path):
    module = stage()
    before = module.autoencoder.flow_generator.constant.detach().clone()
    loader = DataLoader(rows(2, value=float("nan")), batch_size=2)
    trainer = L.Trainer(max_steps=2, logger=False, accelerator="cpu", default_root_dir=tmp_path, **QUIET)
    with pytest.raises(FloatingPointError, match=r"nan at step 0.*'clip-0', 'clip-1'.*not_finite-rank0.pt"):
        trainer.fit(module, loader)
    assert torch.equal(module.autoencoder.flow_generator.constant, before)
    left = torch.load(tmp_path / "not_finite-rank0.pt", weights_only=False)
    assert left["batch"]["key"] == ["clip-0", "clip-1"]
    assert left["batch"]["target"].isnan().any()
    assert torch.equal(left["state_dict"]["autoencoder.flow_generator.constant"], before)


def test_the_loss_network_is_not_in_the_checkpoint():
    assert not any(name.startswith("vgg.") for name in stage().state_dict())


def test_rates_are_lias_and_those_of_the_hd_part_its_own():
    module = stage(learning_rate=0.002, ordinary_learning_rate=1e-4)
    warper, refinement, discriminator = optimizer_of(module).param_groups
    assert warper["lr"] == pytest.approx(0.0016)
    assert warper["betas"] == pytest.approx((0.0, 0.99**0.8))
    assert refinement["lr"] == pytest.approx(1e-4)
    assert discriminator["lr"] == pytest.approx(0.002 * 16 / 17)
    grouped = sum(len(group["params"]) for group in (warper, refinement, discriminator))
    assert grouped == sum(parameter.requires_grad for parameter in module.parameters())


def test_half_precision_trains_too():
    module = stage()
    module.log_losses = lambda split, values, size: None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = module.training_step(torch.utils.data.default_collate(rows()), 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters() if parameter.grad is not None)


def test_in_the_high_resolution_phase_only_the_codebook_learns(tmp_path):
    network = autoencoder()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    module = MotionAutoencoderStage(network, Discriminator(32, **NARROW), trained=["codebook"])
    fit(module, max_steps=2, default_root_dir=tmp_path)
    changed = {name.partition(".")[0] for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert changed == {"codebook"}
    kept = {name.split(".")[1] for name in module.state_dict() if name.startswith("autoencoder.")}
    assert kept == {"codebook"}
    assert not module.autoencoder.image_encoder.training
    with pytest.raises(ValueError, match="no cdebook: image_encoder, "):
        MotionAutoencoderStage(network, trained=["cdebook"])


def test_a_new_discriminator_has_its_own_rate():
    groups = optimizer_of(stage(learning_rate=0.002, discriminator_learning_rate=1e-4)).param_groups
    assert groups[-1]["lr"] == pytest.approx(1e-4 * 16 / 17)
    assert groups[0]["lr"] == pytest.approx(0.0016)


def test_lips_are_as_noisy_as_asked_and_their_points_move_together():
    torch.manual_seed(0)
    lips = torch.rand(4000, 20, 3)
    noise = noisy_lips(lips, 0.01) - lips
    assert noise.std().item() == pytest.approx(0.01, rel=0.1)
    # A third of the noise at most would remain in the mean of 20 points of independent noise.
    assert noise.mean(dim=1).std() > 0.5 * noise.std()


def test_placements_get_the_noise_of_each_value():
    assert placement_deviations(0.5, 4).tolist() == [0.5] * 4
    assert placement_deviations([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 6).tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ValueError, match="placement_noise has 2 numbers, expected one for all or 4"):
        placement_deviations([1.0, 2.0], 4)
