"""Trains stages on slices of the same global batches, in any number of processes, and writes down what came out.

Usage, by every rank: ddp_equality.py PLAN.json OUT. A plan has `nodes`, `devices` and the `stages`: by name, the
experiment's file and its overrides. Lightning finds its rank where `srun` has put it.

Two things differ between one process and several on purpose, and are made alike here: which rows a rank reads, and what
it draws. Rank r of W takes the rows r, r + W, ... of a global batch, and of the random numbers of all its rows.
"""

import copy
import json
import sys
from pathlib import Path

import lightning as L
import torch
from torch.overrides import TorchFunctionMode

from s2tf.callbacks.ema import ExponentialMovingAverage
from s2tf.config import compose
from s2tf.runs.build import build

STEPS = 20
GLOBAL_BATCH = 16
SETTINGS = (
    "trainer.accelerator=cpu",
    "trainer.precision=64-true",
    "trainer.logger=false",
    "trainer.enable_checkpointing=false",
    f"trainer.max_steps={STEPS}",
    f"trainer.val_check_interval={STEPS}",
    "trainer.limit_val_batches=1.0",
    "trainer.num_sanity_val_steps=0",
    "trainer.gradient_clip_val=0.5",
    "data.init_args.num_workers=0",
)
DRAWN = ("rand", "randn", "randint", "rand_like", "randn_like", "dropout")


class GlobalDraws(TorchFunctionMode):
    """Draws for the rows of the global batch, of which this rank gets its own, and calculates in float64 throughout."""

    def __init__(self):
        super().__init__()
        self.rank, self.world = 0, 1
        self.generator = torch.Generator()

    def begin(self, trainer, batch):
        self.rank, self.world = trainer.global_rank, trainer.world_size
        self.generator.manual_seed(batch)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.__name__
        if name == "float" and args[0].dtype == torch.float64:
            return args[0]
        if name not in DRAWN or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if name == "dropout":
            return self._dropout(*args, **kwargs)
        if name.endswith("_like"):
            return self._own(getattr(torch, name.removesuffix("_like")), args[0].shape)
        if name == "randint":
            return self._own(lambda size, **options: torch.randint(args[0], size, **options), args[1])
        return self._own(func, args if isinstance(args[0], int) else args[0])

    def _dropout(self, x, p, training, inplace=False):
        return x * (self._own(torch.rand, x.shape) >= p) / (1 - p) if training and p > 0 else x

    def _own(self, draw, size):
        if size[0] % (GLOBAL_BATCH // self.world):
            raise AssertionError(f"{tuple(size)} is not drawn for the rows of a batch")
        return draw((size[0] * self.world, *size[1:]), generator=self.generator)[self.rank :: self.world]


class GlobalBatches:
    """The rows of this rank in the batches that one process would have, endlessly."""

    def __init__(self, data, rank, world):
        whole = copy.copy(data)
        whole.trainer, whole.batch_size = None, GLOBAL_BATCH
        self.loader, self.rows = type(data).train_dataloader(whole), slice(rank, None, world)

    def __iter__(self):
        return ({name: column[self.rows] for name, column in batch.items()} for batch in self.loader)


class Record(L.Callback):
    """What is logged at every step and in validation."""

    def __init__(self, draws):
        self.draws, self.steps, self.validation = draws, [], {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.draws.begin(trainer, batch_idx)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        rates = {f"rate {number}": group["lr"] for number, group in enumerate(trainer.optimizers[0].param_groups)}
        self.steps.append(_numbers(trainer, "train/") | rates)

    def on_validation_end(self, trainer, pl_module):
        self.validation = _numbers(trainer, "val/")


def _numbers(trainer, split):
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(split)}


def fit_stage(experiment, overrides, nodes, devices, val_batch, folder):
    """Train, and save everything that must agree to `folder`/rank<number>.pt; returns it."""
    ranks = (f"trainer.num_nodes={nodes}", f"trainer.devices={devices}", f"data.init_args.batch_size={val_batch}")
    strategy = "trainer.strategy=" + ("ddp" if nodes * devices > 1 else "auto")
    draws = GlobalDraws()
    record = Record(draws)
    cli = build(compose(experiment, [*overrides, *SETTINGS, *ranks, strategy]), callbacks=[record])
    trainer, stage, data = cli.trainer, cli.model, cli.datamodule
    data.train_dataloader = lambda: GlobalBatches(data, trainer.global_rank, trainer.world_size)
    # Pictures become floats after Lightning has made all floats double.
    data.on_after_batch_transfer = lambda batch, _: {
        name: value.double() if torch.is_tensor(value) and value.is_floating_point() else value
        for name, value in data.on_device(batch).items()
    }
    with draws:
        trainer.fit(stage, datamodule=data)
    averages = [one.state_dict() for one in trainer.callbacks if isinstance(one, ExponentialMovingAverage)]
    result = {
        "steps": record.steps,
        "validation": record.validation,
        "weights": stage.state_dict(),
        "averages": averages,
        "optimizer": trainer.optimizers[0].state_dict()["state"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(result, folder / f"rank{trainer.global_rank}.pt")
    return result


if __name__ == "__main__":
    plan, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    for name, (experiment, overrides) in plan["stages"].items():
        fit_stage(experiment, overrides, plan["nodes"], plan["devices"], plan["val_batch"], out / name)
