"""Trains an experiment in its run folder, from its last checkpoint on, and measures the result."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from s2tf.callbacks.end_on_failure import EndOnFailure
from s2tf.callbacks.last_checkpoint import LastCheckpoint, Saving
from s2tf.errors import UserError
from s2tf.fault_tolerance.attempts import Attempts
from s2tf.fault_tolerance.checkpoint_files import CheckpointFiles
from s2tf.fault_tolerance.checkpoints import LAST_CHECKPOINT, find_checkpoint, move_broken_away
from s2tf.fault_tolerance.failures import forget_failures, name_attempt
from s2tf.fault_tolerance.journal import Journal
from s2tf.fault_tolerance.lock import locked
from s2tf.fault_tolerance.signals import Interruption, StopSignals
from s2tf.loggers.journal import JournalFollower, JournalLogger
from s2tf.provenance.git_state import record_git
from s2tf.runs import tracking
from s2tf.runs.build import build
from s2tf.runs.folder import Run, find_run, write_config

BEST_CHECKPOINT = "best"
RESTART_PATIENCE = 60.0
"""Seconds for which a restarted job waits for the lock of the process that it replaces."""


@dataclass(frozen=True)
class FitResult:
    """Result of a fit: its run and the last value of every logged number."""

    run: Run
    metrics: dict[str, float]
    step: int
    """Total number of finished optimizer steps."""


def fit(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    runs: str | Path = "runs",
    callbacks: Sequence[Any] = (),
    saving: "Saving | None" = None,
) -> FitResult:
    """Train an experiment in its run folder (`fit_run`)."""
    return fit_run(find_run(experiment, overrides, runs), callbacks, saving)


def fit_run(run: Run, callbacks: Sequence[Any] = (), saving: "Saving | None" = None) -> FitResult:
    """Train a run from its last complete checkpoint on, and save its networks in its folder.

    Checkpoints are written at intervals (`last.ckpt`, and the one before), when the process is asked to stop by USR1 or
    TERM (`LastCheckpoint`), and, if there is validation, at the best value (`best.ckpt`, `Stage.best`).

    Args:
        run: The run.
        callbacks: Callbacks besides those of the experiment.
        saving: Interval between checkpoints, or None for the default of `Saving`.

    Raises:
        Interruption: The process was asked to stop, and has saved its state.
        InUseError: Another process trains this run.
        UserError: None of the run's checkpoints is complete, or the last could not be written.
    """
    name_attempt()
    run.folder.mkdir(parents=True, exist_ok=True)
    signals = StopSignals()
    ended: dict[str, Any] = {}
    with ExitStack() as stack:
        stack.enter_context(signals.caught())
        # One process per run: a restarted job may begin while the process before it is still ending on another node.
        patience = RESTART_PATIENCE if int(os.environ.get("SLURM_RESTART_COUNT", 0)) else 0.0
        first = this_rank() == 0
        if first:
            stack.enter_context(locked(run.folder, patience))
        # The first rank records the attempt.
        found = find_checkpoint(run.checkpoints)
        if first:
            forget_failures(run.folder)
            write_config(run)
            record = record_git(run.folder)
            code = record.path.name if record.path else None
            ended = stack.enter_context(Attempts(run.folder).attempt(found.broken, record.state.commit, code))
            move_broken_away(run.checkpoints)
            if found.broken:
                print(f"continuing from {found.path}, since {found.broken}", file=sys.stderr, flush=True)
        result = _train(run, found.path, callbacks, signals, saving)
        ended["step"] = result.step
        return result


def _train(
    run: Run, checkpoint: Path | None, callbacks: Sequence[Any], signals: "StopSignals", saving: "Saving | None"
) -> FitResult:
    # Build trainer and stage; a full disk does not destroy the checkpoints.
    files, journal = CheckpointFiles(), Journal(run.folder)
    last = LastCheckpoint(run.checkpoints, checkpoint, files, journal, signals, saving or Saving())
    tracked = tracking.callbacks(run.config, run.experiment, run.folder)
    cli = build(run.config, run, [*callbacks, *tracked, last, EndOnFailure(run.folder, Attempts(run.folder))])
    cli.trainer.strategy.checkpoint_io = files
    _keep_best(cli, run)
    # Train, and save the networks.
    with _logged(cli.trainer, journal):
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True)
        cli.trainer.save_checkpoint(run.checkpoints / LAST_CHECKPOINT)
        if files.failure:
            raise UserError(files.failure)
        if cli.trainer.is_global_zero:
            cli.model.export(run.folder)
            tracking.record_outputs(cli.trainer, run.networks)
            forget_failures(run.folder)
    metrics = {name: float(value) for name, value in cli.trainer.callback_metrics.items()}
    return FitResult(run=run, metrics=metrics, step=cli.trainer.global_step)


def _keep_best(cli: Any, run: Run) -> None:
    """Keep the checkpoint of the best validation, if there is validation."""
    if not cli.trainer.limit_val_batches:
        return
    monitor, mode = cli.model.best
    best = ModelCheckpoint(
        dirpath=run.checkpoints, filename=BEST_CHECKPOINT, monitor=monitor, mode=mode, enable_version_counter=False
    )
    cli.trainer.callbacks.append(best)
    # A resumed run finds its own checkpoints there.
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")


@contextmanager
def _logged(trainer: Any, journal: "Journal") -> Iterator[None]:
    """Log into the journal, from which W&B reads, and end W&B's run with the `with` block."""
    followers = [logger for logger in trainer.loggers if isinstance(logger, JournalFollower)]
    for logger in followers:
        logger.follow(journal)
    trainer.loggers = [JournalLogger(journal), *trainer.loggers]
    try:
        yield
    except BaseException as error:
        for logger in followers:
            logger.end("interrupted" if isinstance(error, Interruption) else "failed")
        raise
    for logger in followers:
        logger.end("finished")


def evaluate(
    experiment: str | Path, split: str, overrides: Sequence[str] = (), runs: str | Path = "runs"
) -> dict[str, float]:
    """Measure an experiment's last checkpoint on its validation data (`split="validate"`) or test data ("test").

    Raises:
        UserError: There is no complete checkpoint.
    """
    run = find_run(experiment, overrides, runs)
    if run.last_checkpoint is None:
        raise UserError(f"{run.checkpoints}: no last.ckpt: train it first with `s2tf fit {experiment} ...`")
    cli = build(run.config, run)
    cli.trainer.strategy.checkpoint_io = CheckpointFiles()
    results = getattr(cli.trainer, split)(
        cli.model, datamodule=cli.datamodule, ckpt_path=run.last_checkpoint, verbose=False, weights_only=True
    )
    return {name: float(value) for result in results for name, value in result.items()}


def this_rank() -> int:
    """Return the rank of this process in the training, known before the processes are connected."""
    return int(getattr(rank_zero_only, "rank", 0))
