"""`s2tf fit` with an interruption, as a script: Lightning starts it once for every rank.

Usage: fit_ranks.py EXPERIMENT RUNS STEPS_BEFORE_INTERRUPTION (0: none) OVERRIDE...
"""

import sys
from pathlib import Path

import lightning as L

from s2tf.callbacks.last_checkpoint import Saving
from s2tf.nn.network import weights_fingerprint
from s2tf.runs.fit import fit


class InterruptionError(Exception):
    pass


class InterruptAfter(L.Callback):
    """Fails when some steps were done; with `saving(steps)` the last of them was saved, as the clock would."""

    def __init__(self, steps):
        self.steps = steps

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.steps:
            raise InterruptionError


def saving(steps):
    return Saving(every_steps=steps)


class WriteKeys(L.Callback):
    """Appends the keys of every batch to a file of the rank, and writes a hash of its weights at the end."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._write(trainer, "train", batch)

    def on_train_end(self, trainer, pl_module):
        (self.folder / f"rank{trainer.global_rank}.weights").write_text(weights_fingerprint(pl_module))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if not trainer.sanity_checking:
            self._write(trainer, f"val after {trainer.global_step}", batch)

    def _write(self, trainer, what, batch):
        with open(self.folder / f"rank{trainer.global_rank}.txt", "a") as file:
            file.write(f"{what}: {' '.join(batch['key'])}\n")


if __name__ == "__main__":
    experiment, runs, interruption, *overrides = sys.argv[1:]
    Path(runs).mkdir(parents=True, exist_ok=True)
    # The interruption first: what it keeps from being trained on is not to be written down.
    interruptions = [InterruptAfter(int(interruption))] if int(interruption) else []
    callbacks = [*interruptions, WriteKeys(runs)]
    fit(experiment, overrides, runs, callbacks, saving(int(interruption)) if int(interruption) else None)
