import lightning as L
import pytest
import torch
from portrait_stages import FILTERS, ROWS, D, batches, conre_stage, loader, scfp_stage, trainer
from small_networks import TINY_TRANSFORMER

from s2tf.callbacks.ema import ExponentialMovingAverage
from s2tf.models.waveform_speech_encoder import WaveformSpeechEncoder
from s2tf.nn.network import Network
from s2tf.stages.optimisation import warmup_cosine
from s2tf.stages.pairs import recall
from s2tf.stages.scfp import SCFPStage

pytestmark = FILTERS


@pytest.mark.parametrize("make", [conre_stage, scfp_stage])
def test_loss_falls_on_one_batch(make, tmp_path):
    stage = make()
    batch = batches(1)[0]

    def loss():
        torch.manual_seed(0)
        with torch.no_grad():
            value = stage.losses(batch, 8, 0.0) if isinstance(stage, SCFPStage) else stage.losses(batch)
        return value["loss"].item()

    before = loss()
    trainer(tmp_path, 12).fit(stage, loader([batch] * 12))
    assert loss() < before - 0.02


def test_conre_terms_add_up_and_lpips_may_be_switched_off():
    batch = batches(1)[0]
    losses = conre_stage(contrastive_weight=2.0, l1_weight=3.0, lpips_weight=0.5).losses(batch)
    total = 2 * losses["contrastive"] + 3 * losses["l1"] + 0.5 * losses["lpips"]
    torch.testing.assert_close(losses["loss"], total)
    assert "lpips" not in conre_stage(lpips_weight=0.0).losses(batch)


def test_conre_gives_speech_and_face_the_papers_rates(tmp_path):
    stage = conre_stage(face_learning_rate=1e-4, speech_learning_rate=1e-3)
    fit = trainer(tmp_path, 1)
    fit.fit(stage, loader(batches(1)))
    rates = {id(p): group["initial_lr"] for group in fit.optimizers[0].param_groups for p in group["params"]}
    assert {rates[id(p)] for p in stage.speech_encoder.parameters()} == {1e-3}
    for part in (stage.face_encoder, stage.face_decoder, stage.contrastive):
        assert {rates[id(p)] for p in part.parameters()} == {1e-4}


@pytest.mark.parametrize("make", [conre_stage, scfp_stage])
def test_validation_does_not_depend_on_how_the_clips_are_batched(make, tmp_path):
    stage, (one, two) = make(), batches(2)
    two["identity"] = two["identity"] + ROWS
    whole = {key: one[key] + two[key] if key == "key" else torch.cat([one[key], two[key]]) for key in one}
    parts = [{key: value[rows] for key, value in whole.items()} for rows in (slice(3), slice(3, 4), slice(4, None))]
    values = [trainer(tmp_path, 1).validate(stage, loader(data), verbose=False)[0] for data in ([whole], parts)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    if make is conre_stage:
        assert {"val/contrastive", "val/l1", "val/lpips", "val/loss"} <= values[0].keys()
        assert 0 < values[0]["val/recall_at_5"] < 1


def test_recall_counts_any_row_of_the_speaker():
    z_f = torch.eye(4)
    z_s = z_f[[1, 0, 2, 3]]
    assert recall(z_s, z_f, torch.arange(4), 1).item() == 0.5
    assert recall(z_s, z_f, torch.tensor([0, 0, 2, 3]), 1).item() == 1.0


def test_frozen_parts_are_neither_trained_nor_stored(tmp_path):
    stage = scfp_stage()
    before = {name: value.clone() for name, value in torch.nn.Module.state_dict(stage).items()}
    fit = trainer(tmp_path, 3, ExponentialMovingAverage(0.5))
    fit.fit(stage, loader(batches(3)), loader(batches(1)))
    fit.save_checkpoint(tmp_path / "last.ckpt")
    changed = {
        name for name, value in torch.nn.Module.state_dict(stage).items() if not torch.equal(value, before[name])
    }
    assert changed
    assert {name.split(".")[0] for name in changed} == {"diffusion"}
    assert not any(name.startswith("diffusion.prior") for name in changed)
    stored = torch.load(tmp_path / "last.ckpt", weights_only=False)["state_dict"]
    assert {name.split(".")[0] for name in stored} == {"diffusion"}
    assert "diffusion.prior.scale" in stored


def test_without_conre_the_speech_encoder_learns_along_with_the_denoiser(tmp_path):
    stage = scfp_stage(train_speech_encoder=True)
    before = {name: value.clone() for name, value in stage.named_parameters()}
    trainer(tmp_path, 2).fit(stage, loader(batches(2)))
    moved = {name.split(".")[0] for name, value in stage.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"speech_encoder", "diffusion"}
    stored = {name.split(".")[0] for name in stage.state_dict()}
    assert stored == {"speech_encoder", "diffusion"}


def test_a_speech_encoder_of_waveforms_is_given_the_waveform(tmp_path):
    speech = WaveformSpeechEncoder("random", D, hidden=8, config=TINY_TRANSFORMER)
    rows = [{**batch, "waveform": torch.randn(ROWS, 6400)} for batch in batches(2)]
    for batch in rows:
        del batch["spectrogram"]
    conre = conre_stage(speech_encoder=speech)
    assert conre.speech_encoder.is_random
    trainer(tmp_path, 2).fit(conre, loader(rows))
    assert not conre.speech_encoder.is_random
    scfp = scfp_stage(speech_encoder=conre.speech_encoder)
    trainer(tmp_path, 2).fit(scfp, loader(rows))
    assert scfp.sample(rows[0]["waveform"], steps=2).shape == (ROWS, 3, 64, 64)
    scratch = scfp_stage(
        speech_encoder=WaveformSpeechEncoder("random", D, 8, config=TINY_TRANSFORMER), train_speech_encoder=True
    )
    trainer(tmp_path, 2).fit(scratch, loader(rows))
    assert not scratch.speech_encoder.is_random
    again = Network.from_pretrained(conre.export(tmp_path / "run") / "speech_encoder")
    torch.testing.assert_close(again(rows[0]["waveform"]), conre.eval().speech_encoder(rows[0]["waveform"]))


def test_conre_does_not_store_the_perceptual_network(tmp_path):
    stage = conre_stage()
    parts = {name.split(".")[0] for name in stage.state_dict()}
    assert parts == {"speech_encoder", "face_encoder", "face_decoder", "contrastive"}


class StopAfter(L.Callback):
    """Ends a fit early, as a preemption does."""

    def __init__(self, batches):
        self.batches = batches

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.should_stop or batch_idx + 1 == self.batches


@pytest.mark.parametrize("make", [conre_stage, scfp_stage])
def test_training_through_a_checkpoint_equals_training_at_once(make, tmp_path):
    data = batches(4)

    def fit(part, resume=None, stop=4):
        stage = make()
        callbacks = [ExponentialMovingAverage(0.9)] if make is scfp_stage else []
        run = trainer(tmp_path, 4, *callbacks, StopAfter(stop))
        torch.manual_seed(stop)
        run.fit(stage, loader(part), ckpt_path=resume, weights_only=False)
        return run, stage

    _, whole = fit(data)
    half, _ = fit(data, stop=2)
    assert half.global_step == 2
    half.save_checkpoint(tmp_path / "half.ckpt")
    # A resumed epoch has two of its four batches left, which it takes from the beginning of its loader.
    _, resumed = fit(data[2:] + data[:2], resume=tmp_path / "half.ckpt")
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_export_gives_a_portrait_without_the_stage(tmp_path):
    stage = scfp_stage().eval()
    folder = stage.export(tmp_path)
    spectrogram = batches(1)[0]["spectrogram"]
    speech, diffusion, decoder = (
        Network.from_pretrained(folder / name) for name in ("speech_encoder", "portrait_diffusion", "face_decoder")
    )
    z = diffusion.sample(speech(spectrogram), 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        picture = decoder(z)
    torch.testing.assert_close(picture, stage.sample(spectrogram, 3, torch.Generator().manual_seed(0)))
    assert picture.shape == (ROWS, 3, 64, 64)


def test_trained_face_encoder_is_no_longer_called_random(tmp_path):
    stage = conre_stage()
    assert stage.face_encoder.is_random
    trainer(tmp_path, 1).fit(stage, loader(batches(1)))
    assert not Network.from_pretrained(stage.export(tmp_path) / "face_encoder").is_random


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="draws is 0"):
        scfp_stage(draws=0)
    with pytest.raises(ValueError, match="speech_dropout is 1"):
        scfp_stage(speech_dropout=1)


def test_schedule_warms_up_and_ends_at_zero():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [parameter], "lr": 1.0}])
    schedule = warmup_cosine(optimizer, 4, 20)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[12] == pytest.approx(0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-6)
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
