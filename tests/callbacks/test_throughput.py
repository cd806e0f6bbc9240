"""The numbers of `Throughput`, by a clock that only the parts of a training move on."""

import csv

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from s2tf.callbacks import profiler_listener, throughput
from s2tf.callbacks.flop_count import FlopCount
from s2tf.callbacks.peak_flops import PEAKS, peak_flops
from s2tf.callbacks.throughput import Throughput, rows

pytestmark = pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers")
FETCH, STEP, VALIDATION, SAVE = 3.0, 1.0, 50.0, 200.0
WIDTH, ROWS = 8, 4


class Clock:
    """Seconds that have passed; also in the place of the module `time`."""

    def __init__(self):
        self.seconds = 0.0

    def perf_counter(self):
        return self.seconds


class Slow(Dataset):
    """Rows of which a batch takes FETCH seconds."""

    def __init__(self, clock, count=64):
        self.clock, self.count = clock, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.clock.seconds += FETCH / ROWS
        return torch.full((WIDTH,), float(index))


class Plain(L.LightningModule):
    def __init__(self, clock):
        super().__init__()
        self.layer, self.clock = torch.nn.Linear(WIDTH, WIDTH), clock

    def training_step(self, batch, batch_idx):
        self.clock.seconds += STEP
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.clock.seconds += VALIDATION

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_save_checkpoint(self, checkpoint):
        self.clock.seconds += SAVE


class TwoOptimizers(Plain):
    """A step of each on every batch."""

    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(super().training_step(batch, batch_idx) / 2)
            optimizer.step()

    def configure_optimizers(self):
        return [super(TwoOptimizers, self).configure_optimizers() for _ in range(2)]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    monkeypatch.setattr(profiler_listener, "time", clock)
    return clock


def fit(stage, folder, callbacks=(), **settings):
    """The rows that were logged."""
    defaults = {"max_steps": 8, "limit_val_batches": 0, "log_every_n_steps": 4, "enable_checkpointing": False}
    trainer = L.Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=[Throughput(), *callbacks],
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        **defaults | settings,
    )
    trainer.fit(stage, DataLoader(Slow(stage.clock), ROWS), DataLoader(Slow(stage.clock), ROWS))
    with open(f"{trainer.logger.log_dir}/metrics.csv") as file:
        return list(csv.DictReader(file))


def number(row, name):
    return float(row[f"throughput/{name}"])


def test_speed_and_wait_are_averages_of_the_batches_since_the_last_row(clock, tmp_path):
    table = fit(Plain(clock), tmp_path)
    assert [row["step"] for row in table] == ["3", "7"]
    for row in table:
        assert number(row, "samples_per_second") == pytest.approx(ROWS / (FETCH + STEP))
        assert number(row, "steps_per_second") == pytest.approx(1 / (FETCH + STEP))
        assert number(row, "data_wait_share") == pytest.approx(FETCH / (FETCH + STEP))
        assert number(row, "process_memory_peak_gb") > 0.05
        # The loss stands in the same row.
        assert row["train/loss"]


def test_accumulated_batches_are_samples_but_no_steps(clock, tmp_path):
    table = fit(Plain(clock), tmp_path, accumulate_grad_batches=3, max_steps=4, log_every_n_steps=2)
    assert [row["step"] for row in table] == ["1", "3"]
    assert number(table[1], "samples_per_second") == pytest.approx(ROWS / (FETCH + STEP))
    assert number(table[1], "steps_per_second") == pytest.approx(1 / (3 * (FETCH + STEP)))


def test_two_optimizers_on_a_batch_are_one_step(clock, tmp_path):
    # Lightning counts 16 steps, which are 8 batches.
    table = fit(TwoOptimizers(clock), tmp_path, max_steps=16)
    assert [row["step"] for row in table] == ["3", "7"]
    assert number(table[1], "steps_per_second") == pytest.approx(1 / (FETCH + 2 * STEP))


def test_validation_and_checkpoints_are_no_training_time(clock, tmp_path):
    saving = L.pytorch.callbacks.ModelCheckpoint(tmp_path / "kept", every_n_train_steps=3, save_top_k=-1)
    table = fit(
        Plain(clock),
        tmp_path,
        [saving],
        enable_checkpointing=True,
        limit_val_batches=2,
        val_check_interval=3,
    )
    logged = [row for row in table if row["throughput/steps_per_second"]]
    assert len(list((tmp_path / "kept").glob("*.ckpt"))) == 2
    assert [number(row, "steps_per_second") for row in logged] == pytest.approx([1 / (FETCH + STEP)] * 2)


def test_flops_are_those_of_forward_and_backward_of_one_batch(clock, tmp_path, monkeypatch):
    monkeypatch.setattr(throughput, "peak_flops", lambda name, precision: 1e4)
    table = fit(Plain(clock), tmp_path)
    # The input needs no gradient: the backward pass has one product instead of two.
    flops = 2 * (2 * ROWS * WIDTH * WIDTH)
    assert number(table[1], "tflops_per_second") == pytest.approx(flops / (FETCH + STEP) / 1e12)
    assert number(table[1], "mfu") == pytest.approx(flops / (FETCH + STEP) / 1e4)


def test_the_count_is_that_of_torch_through_attention_and_convolutions():
    layers = torch.nn.Sequential(
        torch.nn.Conv1d(4, 16, 3), torch.nn.Flatten(2), torch.nn.TransformerEncoderLayer(14, 2, 8, batch_first=True)
    )
    counts = []
    for counter in (FlopCount(), FlopCounterMode(display=False)):
        with counter:
            layers(torch.zeros(2, 4, 16)).sum().backward()
        counts.append(counter.total if isinstance(counter, FlopCount) else counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_mfu_of_an_unknown_device_is_not_guessed(clock, tmp_path, caplog):
    with caplog.at_level("INFO"):
        table = fit(Plain(clock), tmp_path)
    assert "throughput/mfu" not in table[0]
    assert "throughput/mfu is not logged: the peak of a device of type cpu at 32-true is not known" in caplog.text


def test_what_is_compiled_is_not_counted_and_that_is_said(clock, tmp_path, caplog, monkeypatch):
    stage = Plain(clock)
    # As `Module.compile` leaves it; compiling itself takes a compiler and a minute.
    stage.layer._compiled_call_impl = stage.layer._call_impl
    with caplog.at_level("INFO"):
        table = fit(stage, tmp_path)
    assert "throughput/tflops_per_second" not in table[0]
    assert "layer is compiled" in caplog.text


@pytest.mark.parametrize("stage_class", [Plain, TwoOptimizers])
def test_weights_are_the_same_without_it(clock, tmp_path, stage_class):
    weights = []
    for callbacks in ([], [Throughput()]):
        torch.manual_seed(1)
        stage = stage_class(clock)
        trainer = L.Trainer(
            accelerator="cpu",
            callbacks=callbacks,
            logger=False,
            max_steps=6,
            limit_val_batches=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(stage, DataLoader(Slow(clock), ROWS))
        weights.append((stage.layer.weight.detach().clone(), torch.get_rng_state()))
    assert torch.equal(weights[0][0], weights[1][0])
    assert torch.equal(weights[0][1], weights[1][1])


def test_an_exception_leaves_no_mode_and_no_listener_behind(clock, tmp_path):
    class Broken(Plain):
        def training_step(self, batch, batch_idx):
            raise ZeroDivisionError

    profiler = L.pytorch.profilers.SimpleProfiler()
    with pytest.raises(ZeroDivisionError):
        fit(Broken(clock), tmp_path, profiler=profiler)
    assert "start" not in vars(profiler)
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


@pytest.mark.parametrize(
    ("batch", "expected"),
    [({"key": ["a", "b"], "x": torch.zeros(3)}, 2), ((torch.zeros(()), torch.zeros(5, 1)), 5), (torch.zeros(7), 7)],
)
def test_rows_of_a_batch(batch, expected):
    assert rows(batch) == expected


# Tensor cores, products of float16 a clock in each (accumulated in float32), boost clock in GHz.
CHIPS = {
    "NVIDIA A100-SXM4-80GB": (432, 256, 1.41),
    "NVIDIA RTX A6000": (336, 128, 1.80),
    "NVIDIA A40": (336, 128, 1.74),
    "NVIDIA GeForce RTX 3090": (328, 64, 1.695),
    "NVIDIA GeForce RTX 4090": (512, 64, 2.52),
    "NVIDIA RTX 6000 Ada Generation": (568, 128, 2.505),
    "NVIDIA H100 80GB HBM3": (528, 512, 1.83),
}


@pytest.mark.parametrize("name", CHIPS)
def test_peaks_are_what_the_chips_have(name):
    cores, products, clock = CHIPS[name]
    assert peak_flops(name, "bf16-mixed") == pytest.approx(2 * cores * products * clock * 1e9, rel=0.01)
    assert peak_flops(name, "32-true") == pytest.approx(peak_flops(name, "16-mixed") / 2, rel=0.01)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "bf16-mixed"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "bf16-mixed"),
        ("NVIDIA RTX A6000", "64-true"),
        ("NVIDIA A1000", "bf16-mixed"),
    ],
)
def test_what_is_not_in_the_table_is_unknown(name, precision):
    assert peak_flops(name, precision) is None


def test_every_peak_has_a_source():
    assert all(source for _, source in PEAKS.values())
