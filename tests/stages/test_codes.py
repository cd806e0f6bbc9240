import lightning as L
import pytest
import torch
from frame_pair_rows import rows
from narrow_autoencoder import NARROW, narrow_autoencoder, narrow_parts
from optimizers import optimizer_of
from torch.utils.data import DataLoader

from s2tf.evaluation.stages.codebook_control import CodebookScores, control_pictures
from s2tf.media.pictures import to_uint8
from s2tf.models.hd_decoder import CodebookDecoder
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.quantiser import VectorQuantiser
from s2tf.stages.codes import CodeCourse
from s2tf.stages.motion_autoencoder import LossWeights, MotionAutoencoderStage

pytestmark = [
    # Raised by Lightning itself, or about the small loaders of these tests.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
]
QUIET = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def fit(module, data, **kwargs) -> None:
    trainer = L.Trainer(logger=False, accelerator="cpu", log_every_n_steps=1, **QUIET, **kwargs)
    trainer.fit(module, DataLoader(data, batch_size=4))


def test_codes_take_their_places_when_the_latents_have_settled():
    torch.manual_seed(0)
    weights = LossWeights(vgg=0.0, adversarial=0.0)
    module = MotionAutoencoderStage(narrow_autoencoder(), quantise_from=2, ordinary_learning_rate=1e-3, weights=weights)
    quantiser = module.autoencoder.codebook.quantiser
    fresh, seen = quantiser.embedding.weight.detach().clone(), []
    module.log_losses = lambda split, values, size: (
        split == "train"
        and seen.append((float(values["commitment"].detach()), torch.equal(quantiser.embedding.weight, fresh)))
    )
    fit(module, rows(12), max_steps=3)
    assert seen[0] == seen[1] == (0.0, True)
    assert seen[2][0] > 0
    assert not seen[2][1]


def test_codes_have_a_rate_of_their_own():
    module = MotionAutoencoderStage(narrow_autoencoder(), code_learning_rate=0.01, ordinary_learning_rate=0.001)
    groups = optimizer_of(module).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([0.0016, 0.001, 0.01])
    assert groups[2]["params"][0] is module.autoencoder.codebook.quantiser.embedding.weight
    assert sum(len(group["params"]) for group in groups) == len(list(module.autoencoder.parameters()))


def test_the_way_to_the_codes_has_a_rate_of_its_own():
    module = MotionAutoencoderStage(narrow_autoencoder(), codebook_learning_rate=0.01, code_encoder_learning_rate=3e-4)
    codebook = module.autoencoder.codebook
    rates = {id(one): group["lr"] for group in optimizer_of(module).param_groups for one in group["params"]}
    assert {rates[id(one)] for one in codebook.to_code.parameters()} == {3e-4}
    assert {rates[id(one)] for one in (*codebook.generator.parameters(), codebook.quantiser.embedding.weight)} == {0.01}


def test_new_codes_move_among_the_latents_of_a_first_step_that_is_quantised_and_used_ones_stay():
    torch.manual_seed(0)
    z = 5 + torch.randn(1, 2, 8, 8)
    for used in (False, True):
        quantiser = VectorQuantiser(16, 2).train()
        torch.nn.init.constant_(quantiser.usage, 1 / 16 if used else 0)
        before = quantiser.embedding.weight.detach().clone()
        quantiser(z)
        CodeCourse(restart_every=20).move_codes(quantiser, z, 0)
        moved = (quantiser.embedding.weight != before).any(dim=1).sum().item()
        assert moved == 0 if used else moved > 8


def test_the_codebooks_decoder_has_a_rate_of_its_own():
    module = MotionAutoencoderStage(narrow_autoencoder(), codebook_learning_rate=0.01, ordinary_learning_rate=0.001)
    groups = optimizer_of(module).param_groups
    own = {id(parameter) for group in groups if group["lr"] == 0.01 for parameter in group["params"]}
    assert own == {id(parameter) for parameter in module.autoencoder.codebook.parameters()}
    assert sum(len(group["params"]) for group in groups) == len(list(module.autoencoder.parameters()))


def test_a_share_of_the_rows_is_trained_with_codes_alone():
    torch.manual_seed(0)
    course = CodeCourse(alone=0.5)
    fidelity = course.fidelities(2000, torch.device("cpu"))
    assert fidelity.shape == (2000, 1, 1, 1)
    assert (fidelity == 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert fidelity[fidelity > 0].mean() == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="codes_alone is 2, expected a share from 0 to 1"):
        MotionAutoencoderStage(narrow_autoencoder(), codes_alone=2)


@pytest.mark.slow
def test_the_codes_carry_the_picture():
    """The codes of a trained codebook at other places give another picture: at least 3 dB further from the target."""
    torch.manual_seed(0)
    codebook = CodebookDecoder(
        16, 32, 8, 16, 8, (16, 8, 8), 1, **NARROW, code_widths=(4, 8, 16), fused_sides=(16,), fidelity=0.5,
        code_patches=True, normalise_fusion=True,
    )  # fmt: skip
    module = MotionAutoencoderStage(
        MotionAutoencoder(**narrow_parts() | {"codebook": codebook}),
        weights=LossWeights(adversarial=0.0, l1=5.0),
        ordinary_learning_rate=3e-3,
        momentum=0.5,
        trained=["codebook"],
        codes_alone=0.5,
        quantise_from=30,
        restart_codes_every=20,
    )
    # A face that stays still: the picture that the codes must carry is the source itself.
    still = [{**row, "target": row["source"], "target_output": row["source_output"]} for row in rows(16)]
    fit(module, still, max_epochs=40)
    batch = torch.utils.data.default_collate(still)
    network = module.autoencoder.eval()
    with torch.no_grad():
        source, motion = network.encode_source(batch["source"]), network.encode_motion(batch["target"])
        controls = control_pictures(network, source, motion, 32)
    target = torch.from_numpy(to_uint8(batch["target_output"])).permute(0, 3, 1, 2)
    scores = CodebookScores.of(network)
    scores.update(controls, target, target[:1])
    values = {one.name: one.value for one in scores.measurements({"clips": 1})}
    assert values["PSNR lost by shuffled codes"] > 3, values
    assert values["PSNR, true codes"] > values["PSNR, mean code"] + 3
    assert values["perplexity of the codes"] > 0.3 * 16
    # Nor do the colours beside the generator give the picture alone.
    assert values["PSNR, true codes"] > values["PSNR, generator switched off"] + 1
