"""A run: one experiment trained in its own folder, `runs/<experiment>/<hash>/`, found again by the same config."""

import copy
import json
import os
import re
import secrets
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from s2tf.config import compose, identity_hash
from s2tf.errors import UserError
from s2tf.run_facts import job_type, tags
from s2tf.survival.checkpoints import LAST_CHECKPOINT, find_checkpoint, set_aside_broken

if TYPE_CHECKING:
    from s2tf.callbacks.last_checkpoint import Saving
    from s2tf.survival.journal import Journal
    from s2tf.survival.signals import StopSignals

CONFIG_FILE = "config.yaml"
TAGS_FILE = "tags.json"
WANDB_ID_FILE = "wandb_id"
BEST_CHECKPOINT = "best"
LIGHTNING_WANDB, WANDB_LOGGER = "lightning.pytorch.loggers.WandbLogger", "s2tf.loggers.wandb_run.WandbRun"
RESTART_PATIENCE = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Run:
    """An experiment's resolved config and the folder that belongs to it."""

    experiment: str
    config: dict[str, Any]
    folder: Path
    tags: tuple[str, ...] = ()
    """What W&B finds it by."""

    @property
    def checkpoints(self) -> Path:
        """The folder of Lightning's checkpoints."""
        return self.folder / "checkpoints"

    @property
    def networks(self) -> Path:
        """The folder of the trained networks, written when a fit ends."""
        return self.folder / "networks"

    @property
    def last_checkpoint(self) -> Path | None:
        """The checkpoint to resume from, or None before the first.

        Raises:
            UserError: there are some, and none is whole.
        """
        return find_checkpoint(self.checkpoints).path


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves: its run and the last values of everything that was logged."""

    run: Run
    metrics: dict[str, float]


def find_run(experiment: str | Path, overrides: Sequence[str] = (), runs: str | Path = "runs") -> Run:
    """Compose `experiment` and say which run folder belongs to it, without making that."""
    config = compose(experiment, overrides)
    run = run_of(experiment, config, runs)
    return run if run.tags else replace(run, tags=tags(Path(experiment), overrides, config))


def run_of(experiment: str | Path, config: dict[str, Any], runs: str | Path) -> Run:
    """Which run folder belongs to an experiment that was composed.

    The `config.yaml` of a run folder belongs to that folder, wherever it is, unless an override makes it another run.
    """
    path, identity = Path(experiment).resolve(), identity_hash(config)
    if (path.name, path.parent.name) == (CONFIG_FILE, identity):
        return Run(experiment=path.parents[1].name, config=config, folder=path.parent, tags=_read_tags(path.parent))
    # experiments/conre.yaml and demo/conre.yaml are told apart by their folder.
    name = path.stem if path.parent.name == "experiments" else f"{path.parent.name}-{path.stem}"
    return Run(experiment=name, config=config, folder=Path(runs) / name / identity)


def open_run(experiment: str | Path, overrides: Sequence[str] = (), runs: str | Path = "runs") -> Run:
    """Compose `experiment` and make its run folder with the resolved `config.yaml`, which runs again by itself."""
    run = find_run(experiment, overrides, runs)
    write_config(run)
    return run


def write_config(run: Run) -> None:
    """Make a run's folder and put its config there."""
    run.folder.mkdir(parents=True, exist_ok=True)
    write_aside(run.folder / CONFIG_FILE, yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True))
    write_aside(run.folder / TAGS_FILE, json.dumps(run.tags) + "\n")


def _read_tags(folder: Path) -> tuple[str, ...]:
    """The tags of when the folder was made: its `config.yaml` does not tell which ablation it came from."""
    path = folder / TAGS_FILE
    return tuple(json.loads(path.read_text())) if path.is_file() else ()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The resolved config of a run folder.

    Raises:
        UserError: the folder has none.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: expected the folder of a run")
    return yaml.safe_load(path.read_text())


def build(
    config: dict[str, Any], run: Run | None = None, callbacks: Sequence[Any] = (), instantiate: bool = True
) -> Any:
    """Validate a composed experiment and build its trainer, stage and datamodule (a `LightningCLI` holds the three).

    Args:
        config: of `compose`.
        run: whose folder trainer and logger write into.
        callbacks: of the trainer, besides the config's.
        instantiate: False: check every key, type and class, and build nothing.

    Raises:
        UserError: a key is unknown, a value has the wrong type, or a class cannot be built; the message names the key.
    """
    # Lightning calls what jsonargparse 4.49 has deprecated; nothing here can help that.
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    from jsonargparse import ArgumentError
    from lightning.pytorch.cli import LightningCLI

    from s2tf.nn.network import Network  # noqa: F401  (registers the package's classes before they are looked up)

    class Parsed(LightningCLI):
        def instantiate_classes(self) -> None:
            """Nothing: what was parsed is known to be right."""

        def _set_seed(self) -> None:
            """Nothing is drawn, either."""

    defaults: dict[str, Any] = {"callbacks": list(callbacks)}
    # The parser puts objects of its own into lists.
    config = {key: copy.deepcopy(value) for key, value in config.items() if key != "tracking"}
    config["trainer"] = _on_slurm(config.get("trainer", {}))
    if run is not None:
        defaults["default_root_dir"] = str(run.folder)
        config["trainer"] = _with_logger(config["trainer"], run)
    try:
        with warnings.catch_warnings():
            # The command line is parsed by `s2tf.cli`; LightningCLI is right that it must not be parsed twice.
            warnings.filterwarnings("ignore", "LightningCLI's args parameter")
            return (LightningCLI if instantiate else Parsed)(
                args=config,
                run=False,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                save_config_callback=None,
                trainer_defaults=defaults,
                parser_kwargs={"exit_on_error": False},
            )
    except (ArgumentError, ValueError, TypeError, FileNotFoundError) as error:
        raise UserError(first_cause(str(error))) from error


def fit(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    runs: str | Path = "runs",
    callbacks: Sequence[Any] = (),
    saving: "Saving | None" = None,
) -> FitResult:
    """Train an experiment in its run folder (`fit_run`)."""
    return fit_run(open_run(experiment, overrides, runs), callbacks, saving)


def fit_run(run: Run, callbacks: Sequence[Any] = (), saving: "Saving | None" = None) -> FitResult:
    """Train a run, going on from its last whole checkpoint, and save its networks in its folder.

    Checkpoints are kept by time (`last.ckpt`, and the one before), where the process is asked to stop by USR1 or TERM
    (`LastCheckpoint`), and, where there is validation, of the best (`best.ckpt`, `Stage.best`).

    Raises:
        Interruption: it was asked to stop, and has saved its state.
        UserError: another process trains this run, none of its checkpoints is whole, or the last could not be written.
    """
    from s2tf.survival.attempts import Attempts
    from s2tf.survival.failures import name_attempt
    from s2tf.survival.lock import locked
    from s2tf.survival.signals import StopSignals

    name_attempt()
    signals = StopSignals()
    with ExitStack() as stack:
        stack.enter_context(signals.caught())
        # A restarted job may come while the process whose place it takes is still ending on another node.
        patience = RESTART_PATIENCE if int(os.environ.get("SLURM_RESTART_COUNT", 0)) else 0.0
        first = this_rank() == 0
        if first:
            stack.enter_context(locked(run.folder, patience))
        found = find_checkpoint(run.checkpoints)
        if first:
            stack.enter_context(Attempts(run.folder).attempt(found.broken))
            set_aside_broken(run.checkpoints)
            if found.broken:
                print(f"going on from {found.path}, since {found.broken}", file=sys.stderr, flush=True)
        return _train(run, found.path, callbacks, signals, saving)


def _train(
    run: Run, checkpoint: Path | None, callbacks: Sequence[Any], signals: "StopSignals", saving: "Saving | None"
) -> FitResult:
    from s2tf import tracking
    from s2tf.callbacks.end_on_failure import EndOnFailure
    from s2tf.callbacks.last_checkpoint import LastCheckpoint, Saving
    from s2tf.survival.checkpoint_files import CheckpointFiles
    from s2tf.survival.failures import forget_failures
    from s2tf.survival.journal import Journal

    files, journal = CheckpointFiles(), Journal(run.folder)
    last = LastCheckpoint(run.checkpoints, files, journal, signals, saving or Saving())
    tracked = tracking.callbacks(run.config, run.experiment, run.folder)
    cli = build(run.config, run, [*callbacks, *tracked, last, EndOnFailure(run.folder)])
    cli.trainer.strategy.checkpoint_io = files
    # Lightning's handler of TERM begins a broadcast wherever the signal finds this rank: the others wait for ever.
    cli.trainer._signal_connector.register_signal_handlers = lambda: None
    _keep_best(cli, run)
    with _logged(cli.trainer, journal):
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=False)
        cli.trainer.save_checkpoint(run.checkpoints / LAST_CHECKPOINT)
        if files.failure:
            raise UserError(files.failure)
        if cli.trainer.is_global_zero:
            cli.model.export(run.folder)
            tracking.made(cli.trainer, run.networks)
            forget_failures(run.folder)
    metrics = {name: float(value) for name, value in cli.trainer.callback_metrics.items()}
    return FitResult(run=run, metrics=metrics)


def _keep_best(cli: Any, run: Run) -> None:
    """Where there is validation, keep the checkpoint of the best."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    if not cli.trainer.limit_val_batches:
        return
    monitor, mode = cli.model.best
    best = ModelCheckpoint(
        dirpath=run.checkpoints, filename=BEST_CHECKPOINT, monitor=monitor, mode=mode, enable_version_counter=False
    )
    cli.trainer.callbacks.append(best)
    # A run that goes on finds its own checkpoints there.
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")


@contextmanager
def _logged(trainer: Any, journal: "Journal") -> Iterator[None]:
    """Log into the journal, W&B behind it, and end W&B's run with the `with` block."""
    from s2tf.loggers.journal import JournalLogger
    from s2tf.loggers.wandb_run import WandbRun
    from s2tf.survival.signals import Interruption

    followers = [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
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
    """The metrics of an experiment's last checkpoint on its validation (`split="validate"`) or test data."""
    run = open_run(experiment, overrides, runs)
    if run.last_checkpoint is None:
        raise UserError(f"{run.checkpoints}: no last.ckpt: train it first with `s2tf fit {experiment} ...`")
    cli = build(run.config, run)
    results = getattr(cli.trainer, split)(
        cli.model, datamodule=cli.datamodule, ckpt_path=run.last_checkpoint, verbose=False, weights_only=False
    )
    return {name: float(value) for result in results for name, value in result.items()}


def _on_slurm(trainer: dict[str, Any]) -> dict[str, Any]:
    """The trainer's config for a SLURM job: without Lightning's handler, which saves within the signal and can hang."""
    from lightning.pytorch.plugins.environments import SLURMEnvironment

    if "plugins" in trainer or not SLURMEnvironment.detect():
        return trainer
    environment = f"{SLURMEnvironment.__module__}.{SLURMEnvironment.__name__}"
    return {**trainer, "plugins": [{"class_path": environment, "init_args": {"auto_requeue": False}}]}


def this_rank() -> int:
    """Of this process among those that train, known before they have met."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    return int(getattr(rank_zero_only, "rank", 0))


def _with_logger(trainer: dict[str, Any], run: Run) -> dict[str, Any]:
    """The trainer's config with its logger writing into the run folder; a W&B run keeps its id over restarts."""
    logger = trainer.get("logger")
    if not isinstance(logger, dict):
        return trainer
    init_args = dict(logger.get("init_args", {}))
    init_args.setdefault("save_dir", str(run.folder))
    if logger.get("class_path") in (LIGHTNING_WANDB, WANDB_LOGGER):
        logger = {**logger, "class_path": WANDB_LOGGER}
        init_args.setdefault("id", wandb_id(run.folder))
        init_args.setdefault("resume", "allow")
        init_args.setdefault("group", run.experiment)
        init_args.setdefault("job_type", job_type(run.config))
        init_args.setdefault("tags", list(run.tags))
        init_args.setdefault("name", f"{run.experiment}-{run.folder.name}")
    return {**trainer, "logger": {**logger, "init_args": init_args}}


def wandb_id(folder: Path) -> str:
    """The id of a run in W&B, made when it is first asked for; that of the trial which a sweep's agent has drawn."""
    path = folder / WANDB_ID_FILE
    if not path.is_file():
        write_aside(path, (os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)) + "\n")
    return path.read_text().strip()


def write_aside(path: Path, text: str) -> None:
    """Write a file of a run folder so that whoever reads it, such as another rank, finds it whole."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    aside.write_text(text)
    os.replace(aside, path)


def first_cause(message: str) -> str:
    """The first of the innermost things that did not fit in jsonargparse's report, behind its keys and class."""
    stack: list[tuple[int, str, str]] = []
    causes: list[tuple[int, str]] = []
    headings = ("Does not validate", "Subtypes", "Errors:", "Given value")
    for line in message.splitlines():
        text = line.lstrip(" -")
        depth = len(line) - len(text)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if key := re.fullmatch(r'Parser key "(.+)":', text):
            stack.append((depth, "key", key.group(1)))
        elif path := re.fullmatch(r"Problem with given class_path '(.+)':", text):
            stack.append((depth, "class", path.group(1).rpartition(".")[2]))
        elif text and not text.startswith(headings):
            keys = ".".join(name for _, kind, name in stack if kind == "key")
            class_name = next((name for _, kind, name in reversed(stack) if kind == "class"), "")
            where = keys + (f" ({class_name})" if class_name else "")
            causes.append((depth, f"{where}: {text}" if where else text))
    # The innermost: of the types that a value may have, the one that it was meant to be fits furthest.
    return max(causes, key=lambda cause: cause[0])[1] if causes else message
