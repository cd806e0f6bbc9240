"""When samples are made, from what, and that nobody notices."""

import random
import warnings

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from s2tf.callbacks.ema import ExponentialMovingAverage
from s2tf.callbacks.media import MediaSamples
from s2tf.callbacks.sample_files import write_samples
from s2tf.previews import Samples, SampleVideo

pytestmark = pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers")


def draw():
    """A number of each global generator."""
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002


class Painter(L.LightningModule):
    """Shows its weight, and draws from every generator that there is, in training and when it shows."""

    ema_networks = ("layer",)

    def __init__(self, broken=False):
        super().__init__()
        self.layer, self.dropout, self.frozen = torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Dropout()
        self.frozen.eval()
        self.broken, self.shown, self.drawn = broken, [], []

    def training_step(self, batch, batch_idx):
        self.drawn.append(draw())
        return self.dropout(self.layer(batch)).square().mean()

    def validation_step(self, batch, batch_idx):
        pass

    def samples(self, batch, clips):
        modes = [module.training for module in self.modules()]
        self.shown.append((modes, batch, self.layer.weight.clone(), torch.is_grad_enabled(), draw()[2]))
        if self.broken:
            raise OSError("disk full")
        return Samples([f"clip{row}" for row in range(len(batch))], {"true": batch.new_zeros(len(batch), 3, 8, 8)})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class TwoSteps(Painter):
    """Two optimizer steps on a batch, so that `global_step` is always even."""

    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        for optimizer in self.optimizers():
            self.manual_backward(super().training_step(batch, batch_idx))
            optimizer.step()

    def configure_optimizers(self):
        return [super(TwoSteps, self).configure_optimizers() for _ in range(2)]


def fit(stage, folder, callbacks, steps=6):
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=callbacks,
        logger=False,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    data = DataLoader(torch.arange(128.0).reshape(32, 4), batch_size=2)
    validation = DataLoader(100 + torch.arange(128.0).reshape(32, 4), batch_size=8)
    trainer.fit(stage, data, validation)
    return trainer


def steps(folder):
    return sorted(path.name for path in (folder / "samples").iterdir()) if (folder / "samples").exists() else []


@pytest.fixture
def callback():
    return MediaSamples(3, clips=2)


def test_samples_come_at_their_steps_and_none_at_the_start(callback, tmp_path):
    fit(Painter(), tmp_path, [callback], steps=7)
    assert steps(tmp_path) == ["step-00000003", "step-00000006"]
    assert sorted(path.name for path in (tmp_path / "samples" / "step-00000003").iterdir()) == ["sheet.png", "true.png"]


def test_a_step_that_is_passed_over_counts(callback, tmp_path):
    fit(TwoSteps(), tmp_path, [callback], steps=12)
    assert steps(tmp_path) == ["step-00000004", "step-00000006", "step-00000010", "step-00000012"]


def test_a_stage_is_asked_in_evaluation_mode_with_the_same_draws(callback, tmp_path):
    stage = Painter()
    fit(stage, tmp_path, [callback])
    (modes, batch, _, gradients, drawn), again = stage.shown
    assert not any(modes)
    assert not gradients
    assert torch.equal(batch, 100 + torch.arange(8.0).reshape(2, 4))
    assert drawn == again[-1]


def test_averaged_weights_are_shown_and_training_goes_on_from_its_own(callback, tmp_path):
    averages = ExponentialMovingAverage(0.5)
    stage = Painter()
    seen = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append((pl_module.layer.weight.clone(), averages._averages["layer.weight"].clone()))

    # Before and after the samples are made.
    fit(stage, tmp_path, [averages, Watch(), callback, Watch()])
    before, after = seen[4], seen[5]
    assert torch.equal(stage.shown[0][2], before[1])
    assert not torch.equal(stage.shown[0][2], before[0])
    assert torch.equal(before[0], after[0])


@pytest.mark.parametrize("broken", [False, True])
def test_modes_weights_and_every_generator_are_as_without(callback, tmp_path, broken):
    stages = []
    for callbacks in ([], [callback]):
        stage = Painter(broken)
        torch.nn.init.eye_(stage.layer.weight)
        torch.nn.init.zeros_(stage.layer.bias)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no samples at step")
            fit(stage, tmp_path, callbacks)
        stages.append(stage)
    plain, shown = stages
    assert torch.equal(plain.layer.weight, shown.layer.weight)
    assert plain.drawn == shown.drawn
    assert [one.training for one in plain.modules()] == [one.training for one in shown.modules()]


def test_a_failure_is_told_once_counted_and_ends_nothing(callback, tmp_path):
    stage = Painter(broken=True)
    with pytest.warns(UserWarning, match="no samples at step 3, .* OSError: disk full") as told:
        trainer = fit(stage, tmp_path, [callback])
    assert sum("no samples" in str(one.message) for one in told) == 1
    assert callback.failures == 2
    assert trainer.global_step == 6


def test_only_the_first_rank_shows(callback, tmp_path, monkeypatch):
    monkeypatch.setattr(L.Trainer, "is_global_zero", property(lambda trainer: False))
    stage = Painter()
    fit(stage, tmp_path, [callback])
    assert stage.shown == []
    assert steps(tmp_path) == []


def test_maps_of_one_prefix_have_one_scale(tmp_path):
    low, high = torch.zeros(1, 2, 2), torch.tensor([[[0.0, 0.0], [1.0, 2.0]]])
    files = write_samples(Samples(maps={"codes/true": high, "codes/generated": low, "other": low + 2}), tmp_path)
    true, generated = (np.asarray(Image.open(file.path)) for file in files[:2])
    # Row 0 is at the bottom, and zero has the colour of zero.
    assert np.array_equal(true[1, 0], generated[0, 0])
    assert not np.array_equal(true[0, 1], true[0, 0])


def test_videos_of_an_odd_size_are_written(tmp_path):
    frames = torch.zeros(5, 3, 7, 5)
    video = SampleVideo({"true": frames, "generated": frames, "other": frames}, torch.zeros(3200))
    (file,) = write_samples(Samples(videos=[video]), tmp_path)
    assert (file.kind, file.path.name) == ("video", "video-0.mp4")
    assert file.path.stat().st_size > 0


@pytest.mark.parametrize(("every", "clips"), [(0, 1), (1, 0)])
def test_numbers_below_one_are_refused(every, clips):
    with pytest.raises(ValueError, match="expected at least 1"):
        MediaSamples(every, clips)
