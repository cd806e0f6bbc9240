import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from s2tf.callbacks.ema import ExponentialMovingAverage

pytestmark = [
    # Raised within Lightning by newer releases of torch.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    # The batches are all alike: it does not matter where a resumed training goes on.
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
]


class Walk(L.LightningModule):
    """One weight that rises by one each batch, with another that is not averaged."""

    ema_networks = ("walker",)

    def __init__(self):
        super().__init__()
        self.walker, self.other = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.walker.weight)
        torch.nn.init.zeros_(self.other.weight)
        self.validated = []

    def training_step(self, batch, batch_idx):
        return -(self.walker.weight + self.other.weight).sum()

    def validation_step(self, batch, batch_idx):
        self.validated.append((self.walker.weight.item(), self.other.weight.item()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def _fit(stage, callback, steps, folder, resume=None, validate_every=1000):
    data = DataLoader(torch.zeros(64, 1), batch_size=1)
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        val_check_interval=validate_every,
        check_val_every_n_epoch=None,
        limit_val_batches=1,
    )
    trainer.fit(stage, data, data, ckpt_path=resume, weights_only=False)
    return trainer


def _expected(steps, decay):
    average = 0.0
    for n in range(1, steps + 1):
        rate = min(decay, (1 + n) / (10 + n))
        average = rate * average + (1 - rate) * n
    return average


def test_average_follows_the_warmed_up_decay_and_is_left_for_the_export(tmp_path):
    stage = Walk()
    _fit(stage, ExponentialMovingAverage(0.6), 20, tmp_path)
    assert stage.walker.weight.item() == pytest.approx(_expected(20, 0.6), rel=1e-5)
    assert stage.other.weight.item() == 20


def test_validation_sees_the_average_and_training_goes_on_from_the_weights(tmp_path):
    stage = Walk()
    _fit(stage, ExponentialMovingAverage(0.6), 6, tmp_path, validate_every=3)
    assert stage.validated[0] == (pytest.approx(_expected(3, 0.6)), 3)
    assert stage.validated[1] == (pytest.approx(_expected(6, 0.6)), 6)


def test_checkpoint_holds_the_weights_and_a_resume_restores_the_average(tmp_path):
    trainer = _fit(Walk(), ExponentialMovingAverage(0.6), 5, tmp_path)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    state = torch.load(tmp_path / "half.ckpt", weights_only=False)["state_dict"]
    assert state["walker.weight"].item() == 5
    resumed = Walk()
    _fit(resumed, ExponentialMovingAverage(0.6), 9, tmp_path, resume=tmp_path / "half.ckpt")
    assert resumed.walker.weight.item() == pytest.approx(_expected(9, 0.6), rel=1e-5)
    assert resumed.other.weight.item() == 9


def test_swapped_is_undone_after_an_error(tmp_path):
    stage, callback = Walk(), ExponentialMovingAverage(0.6)
    callback.load_state_dict({"batches": 1, "averages": {"walker.weight": torch.full((1, 1), 8.0)}})

    def fail_inside():
        with callback.swapped(stage):
            assert stage.walker.weight.item() == 8
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert stage.walker.weight.item() == 0


def test_stage_without_networks_to_average_and_wrong_decay_are_refused(tmp_path):
    stage = Walk()
    stage.ema_networks = ()
    with pytest.raises(ValueError, match="lists no ema_networks"):
        _fit(stage, ExponentialMovingAverage(), 1, tmp_path)
    with pytest.raises(ValueError, match="decay is 1"):
        ExponentialMovingAverage(1)


class Drift(L.LightningModule):
    """A batch norm behind a layer whose weight, and so the statistics of what it gives, rises with every batch."""

    ema_networks = ("network",)

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1, momentum=0.5))
        torch.nn.init.ones_(self.network[0].weight)

    def training_step(self, batch, batch_idx):
        self.network(batch)
        return -self.network[0].weight.sum() + 0 * sum(value.sum() for value in self.network[1].parameters())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def _drifted(tmp_path, callback, steps, resume=None):
    stage, inputs = Drift(), torch.linspace(-1, 3, 64)[:, None]
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(stage, DataLoader(inputs, batch_size=64), ckpt_path=resume, weights_only=False)
    with torch.no_grad():
        return trainer, stage, stage.eval().network(inputs)


def test_averaged_weights_come_with_the_statistics_of_what_they_give(tmp_path):
    _, stage, normalised = _drifted(tmp_path, ExponentialMovingAverage(0.99), 200)
    assert stage.network[0].weight.item() < 190  # the average is behind the weights, the last statistics are not
    assert normalised.mean().item() == pytest.approx(0, abs=0.02)
    assert normalised.std().item() == pytest.approx(1, abs=0.06)


def test_a_checkpoint_holds_the_statistics_in_training_and_one_without_their_averages_goes_on(tmp_path):
    trainer, stage, _ = _drifted(tmp_path, ExponentialMovingAverage(0.9), 20)
    raw = stage.network[1].running_mean.item()
    trainer.save_checkpoint(tmp_path / "new.ckpt")
    state = torch.load(tmp_path / "new.ckpt", weights_only=False)
    assert state["state_dict"]["network.1.running_mean"].item() > raw  # those in training have gone further
    averages = next(iter(state["callbacks"].values()))["averages"]
    assert averages.pop("network.1.running_mean").item() == raw
    torch.save(state, tmp_path / "old.ckpt")
    _, resumed, _ = _drifted(tmp_path, ExponentialMovingAverage(0.9), 21, tmp_path / "old.ckpt")
    assert resumed.network[1].running_mean.item() > raw
