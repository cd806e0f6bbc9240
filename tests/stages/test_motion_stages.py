import lightning as L
import pytest
import torch
from small_networks import TINY_TRANSFORMER
from torch.utils.data import DataLoader

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.metrics.correlation import mean_correlation
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.motion_statistics import MotionStatistics
from s2tf.models.motion_unet import MotionUNet
from s2tf.models.pretrained_speech import HubertFeatures
from s2tf.nn.lips import mouth_opening
from s2tf.nn.network import Network
from s2tf.stages.lip_landmarks import LipLandmarksStage
from s2tf.stages.motion_diffusion import MotionDiffusionStage

pytestmark = [
    # Raised inside lightning on the newest torch.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
]

FRAMES = 16


def make_rows(rows=16, seed=0):
    """A noise whose loudness in each frame opens the mouth and moves the code."""
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.rand(rows, FRAMES, generator=generator)
    waveform = torch.randn(rows, FRAMES, 640, generator=generator) * loudness[..., None]
    lips = torch.zeros(rows, FRAMES, 20, 2)
    lips[..., 17:20, 1] = loudness[..., None]
    motion = 30 + 4 * torch.stack([loudness, 1 - loudness, loudness.roll(1, 1)], dim=-1)
    return [
        {"key": str(row), "waveform": waveform[row].flatten(), "lips": lips[row], "reference_lips": lips[row, 0]}
        | {"motion": motion[row]}
        for row in range(rows)
    ]


def loader(rows, batch_size=8):
    return DataLoader(rows, batch_size=batch_size)


def batch(rows=16):
    return next(iter(loader(make_rows(rows), rows)))


def lip_stage(features=None, **kwargs):
    return LipLandmarksStage(features or LogMelFeatures(16), LipLandmarks(16, 24, 1), learning_rate=5e-3, **kwargs)


def motion_stage(features=None, **kwargs):
    features = features or LogMelFeatures(8)
    unet = MotionUNet(3, features.out_dim, [16, 24], 1, [], 8, 16, dropout=0.0)
    diffusion = MotionDiffusion(unet, MotionStatistics(3), target="sample", window=FRAMES, overlap=4)
    return MotionDiffusionStage(features, diffusion, **{"learning_rate": 3e-3, **kwargs})


def trainer(tmp_path, steps, **kwargs):
    return L.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, num_sanity_val_steps=0, default_root_dir=tmp_path, **kwargs,
    )  # fmt: skip


def test_lips_learn_to_follow_the_speech_of_unseen_rows(tmp_path):
    stage = lip_stage(velocity_weight=0.5)
    run = trainer(tmp_path, 100)
    run.fit(stage, loader(make_rows(32)), loader(make_rows(8, seed=1)))
    metrics = run.validate(stage, loader(make_rows(8, seed=1)), verbose=False)[0]
    assert metrics["val/opening_correlation"] > 0.8
    assert metrics["val/l1"] < 0.5 * metrics["val/reference_l1"]
    assert set(stage.networks()) == {"speech_features", "lip_landmarks"}


@pytest.mark.slow
def test_lips_that_have_learned_silence_close_in_it(tmp_path):
    stage = lip_stage(silence=0.3)
    trainer(tmp_path, 150).fit(stage, loader(make_rows(32)), loader(make_rows(8, seed=1)))
    stage.eval()
    rows = batch(8)
    speech = mouth_opening(stage.predict_lips(rows)).mean()
    silent = mouth_opening(stage.predict_lips({**rows, "waveform": torch.zeros_like(rows["waveform"])})).mean()
    assert silent < 0.3 * speech
    with pytest.raises(ValueError, match=r"silence is 1\.5"):
        lip_stage(silence=1.5)


def test_lip_losses_by_hand():
    stage, rows = lip_stage(velocity_weight=2.0), batch(4)
    losses = stage.losses(rows)
    still = rows["reference_lips"][:, None].expand_as(rows["lips"])
    l1 = (still - rows["lips"]).abs().mean()
    velocity = rows["lips"].diff(dim=1).abs().mean()
    torch.testing.assert_close(losses["l1"], l1)
    torch.testing.assert_close(losses["loss"], l1 + 2 * velocity)
    one = {key: value[:, :1] if key == "lips" else value for key, value in rows.items()}
    one["waveform"] = rows["waveform"][:, :640]
    assert stage.losses(one)["velocity"] == 0


def test_a_mouth_that_does_not_move_counts_as_zero_in_the_correlation():
    torch.manual_seed(0)
    stage = lip_stage()
    rows = next(iter(loader(make_rows(2))))
    still = {**rows, "lips": rows["lips"][:, :1].expand_as(rows["lips"])}
    logged = {}
    stage.log_losses = lambda split, values, size: logged.update(values)
    stage.validation_step(still, 0)
    assert logged["opening_correlation"] == 0


@pytest.mark.slow
def test_motion_is_learned_and_sampled_from_unseen_speech(tmp_path):
    stage = motion_stage(speech_dropout=0.1)
    rows = make_rows(8, seed=1)
    run = trainer(tmp_path, 100)
    before = stage.losses(batch(), 4, 0.0, torch.Generator().manual_seed(0))["loss"]
    run.fit(stage, loader(make_rows(32)), loader(rows))
    first, second = (run.validate(stage, loader(rows), verbose=False)[0]["val/loss"] for _ in range(2))
    assert first == second
    assert first < 0.5 * before
    statistics = stage.diffusion.statistics
    codes = torch.stack([row["motion"] for row in make_rows(32)]).flatten(0, 1)
    torch.testing.assert_close(statistics.mean, codes.mean(0))
    unseen = next(iter(loader(rows)))
    stage.eval()
    drawn = stage.generate(unseen["waveform"], FRAMES, steps=10, generator=torch.Generator().manual_seed(0))
    own, others = unseen["motion"][..., 0].numpy(), unseen["motion"][..., 0].roll(1, 0).numpy()
    assert mean_correlation(zip(drawn[..., 0].numpy(), own, strict=True)).mean > 0.6
    assert mean_correlation(zip(drawn[..., 0].numpy(), others, strict=True)).mean < 0.4


def test_validation_does_not_depend_on_how_the_clips_are_batched(tmp_path):
    stage, rows = motion_stage(), make_rows(7)
    values = [trainer(tmp_path, 1).validate(stage, loader(rows, size), verbose=False)[0] for size in (7, 3)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_generated_motion_has_the_frames_of_its_speech_and_follows_the_generator():
    stage = motion_stage().eval()
    for frames in (1, 5, FRAMES + 1, 10 * FRAMES + 3):
        waveform = torch.randn(1, frames * 640 - 17)
        draws = [stage.generate(waveform, frames, 3, torch.Generator().manual_seed(5)) for _ in range(2)]
        assert draws[0].shape == (1, frames, 3)
        assert torch.equal(*draws)


def test_statistics_that_are_there_are_kept(tmp_path):
    stage = motion_stage()
    stage.diffusion.statistics.fit([torch.randn(10, 3) + 100])
    mean = stage.diffusion.statistics.mean.clone()
    trainer(tmp_path, 1).fit(stage, loader(make_rows(8)))
    assert torch.equal(stage.diffusion.statistics.mean, mean)


def test_shards_without_codes_are_named():
    rows = batch(2)
    del rows["motion"]
    with pytest.raises(ValueError, match=r"no motion codes \(motion\.npy\)"):
        motion_stage().losses(rows, 1, 0.0)


class Stored(L.LightningDataModule):
    """Rows with features of a network, as `MotionSequenceData` gives them."""

    def __init__(self, features, network):
        super().__init__()
        self.rows = [row | {"features": features} for row in make_rows(8)]
        self.stored_features = {"network": type(network).__name__, "fingerprint": network.fingerprint(), "dim": 16}

    def train_dataloader(self):
        return loader(self.rows)


@pytest.mark.parametrize("make", [lip_stage, motion_stage])
def test_stored_features_take_the_place_of_the_networks(make, tmp_path):
    network = HubertFeatures("random", config=TINY_TRANSFORMER)
    stage = make(network)
    data = Stored(torch.randn(2 * FRAMES, 16), network)
    network.forward = None  # Not to be called.
    trainer(tmp_path, 2).fit(stage, datamodule=data)


@pytest.mark.parametrize("make", [lip_stage, motion_stage])
def test_stored_features_of_another_network_or_of_one_that_is_trained_are_refused(make, tmp_path):
    network, other = (HubertFeatures("random", config=TINY_TRANSFORMER) for _ in range(2))
    data = Stored(torch.randn(2 * FRAMES, 16), network)
    with pytest.raises(ValueError, match=f"HubertFeatures {network.fingerprint()}, but .* {other.fingerprint()}"):
        trainer(tmp_path, 1).fit(make(other), datamodule=data)
    weighted = HubertFeatures("random", config=TINY_TRANSFORMER, layers="weighted")
    with pytest.raises(ValueError, match=r"data\.init_args\.features: stored features do not change"):
        trainer(tmp_path, 1).fit(make(weighted), datamodule=data)


def test_a_frozen_pretrained_transformer_stays_out_of_checkpoints_and_the_rest_comes_back(tmp_path):
    HubertFeatures("random", config=TINY_TRANSFORMER).backbone.save_pretrained(tmp_path / "weights")
    stage = motion_stage(HubertFeatures(str(tmp_path / "weights"), layers="weighted"))
    state = stage.state_dict()
    assert not [key for key in state if key.startswith("speech_features.backbone.")]
    assert "speech_features.layer_weights" in state
    torch.nn.init.normal_(stage.speech_features.layer_weights)
    other = motion_stage(HubertFeatures(str(tmp_path / "weights"), layers="weighted"))
    other.load_state_dict(stage.state_dict())
    waveform = torch.randn(1, 3200)
    torch.testing.assert_close(other.eval().speech_features(waveform, 5), stage.eval().speech_features(waveform, 5))
    exported = Network.from_pretrained(stage.export(tmp_path / "run") / "speech_features")
    torch.testing.assert_close(exported(waveform, 5), stage.speech_features(waveform, 5))


def test_random_transformers_stay_in_checkpoints():
    stage = motion_stage(HubertFeatures("random", config=TINY_TRANSFORMER))
    assert any(key.startswith("speech_features.backbone.") for key in stage.state_dict())
    assert stage.speech_features.is_random


def test_features_of_another_width_are_named():
    with pytest.raises(ValueError, match=r"lip_landmarks\.feature_dim is 16, expected 8"):
        LipLandmarksStage(LogMelFeatures(8), LipLandmarks(16))
    with pytest.raises(ValueError, match="expected a SpeechFeatures"):
        LipLandmarksStage(LipLandmarks(16), LipLandmarks(16))
    with pytest.raises(ValueError, match=r"speech_dropout is 1\.5"):
        motion_stage(speech_dropout=1.5)
