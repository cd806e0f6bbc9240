"""Builds trainer, stage and datamodule of an experiment; every mistake in its config is an error that names the key."""

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from datamodules.base import ShardDataModule
from s2tf.config import innermost_cause
from s2tf.errors import UserError
from s2tf.nn.earlier import with_earlier_values
from s2tf.provenance.facts import job_type
from s2tf.runs.folder import Run, wandb_id
from s2tf.runs.tracking import Tracking

LIGHTNING_WANDB, WANDB_LOGGER = "lightning.pytorch.loggers.WandbLogger", "s2tf.loggers.wandb_run.WandbRun"


def build(
    config: dict[str, Any], run: Run | None = None, callbacks: Sequence[Any] = (), instantiate: bool = True
) -> Any:
    """Validate a composed experiment and build its trainer, stage and datamodule (a `LightningCLI` holds the three).

    Args:
        config: A composed experiment.
        run: Run, into whose folder trainer and logger write.
        callbacks: Callbacks of the trainer, besides those of the config.
        instantiate: False to check every key, type and class without building anything.

    Raises:
        UserError: A key is unknown, a value has the wrong type, or a class cannot be built; the message names the key.
    """
    # Lightning calls functions that jsonargparse 4.49 has deprecated.
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

    class Parsed(LightningCLI):
        def instantiate_classes(self) -> None:
            """Do nothing: parsing has checked the config."""

        def _set_seed(self) -> None:
            """Do nothing: no random number is needed."""

    if "prior" in config and "model" not in config:
        raise UserError("the experiment has `prior:` and no `model:`: nothing is trained, expected `s2tf prior`")
    # The section `tracking` is checked here; the caller builds its callbacks. The parser gets a copy of the rest, since
    # it puts objects into lists.
    Tracking.parse(config.get("tracking", {}))
    defaults: dict[str, Any] = {"callbacks": list(callbacks)}
    # Filled in only here, since the identity of a run must not change with what its config leaves out.
    config = {
        key: with_earlier_values(copy.deepcopy(value), rank_zero_warn)
        for key, value in config.items()
        if key != "tracking"
    }
    if run is not None:
        defaults["default_root_dir"] = str(run.folder)
    if run is not None or not instantiate:
        config["trainer"] = _with_logger(config.get("trainer", {}), run)
    # Parse the config, and build everything.
    try:
        with warnings.catch_warnings():
            # LightningCLI warns that the command line must not be parsed twice: only `s2tf.cli` parses it.
            warnings.filterwarnings("ignore", "LightningCLI's args parameter")
            built = (LightningCLI if instantiate else Parsed)(
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
        raise UserError(innermost_cause(str(error))) from error
    if instantiate:
        # Lightning's own signal handlers save or broadcast in the middle of a step: other ranks would hang.
        signals: Any = built.trainer._signal_connector
        signals.register_signal_handlers = lambda: None
    return built


def build_parts(config: Mapping[str, Any], **settings: type) -> Any:
    """Build the datamodule of a composed experiment, and the settings of other sections.

    Args:
        config: A composed experiment.
        settings: Name of a section -> class of its settings.

    Returns:
        An object with `data` and each section as attributes.

    Raises:
        UserError: A section is missing, a key is unknown or a value is wrong; the message names the key.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ShardDataModule, "data", required=True)
    for section, kind in settings.items():
        if section not in config:
            raise UserError(f"the experiment has no section {section!r}: see experiments/{section}.yaml")
        parser.add_class_arguments(kind, section)
    parts = {name: config[name] for name in ("data", *settings) if name in config}
    try:
        return parser.instantiate(parser.parse_object(parts))
    except (ArgumentError, ValueError, TypeError) as error:
        raise UserError(innermost_cause(str(error))) from error


def _with_logger(trainer: dict[str, Any], run: Run | None) -> dict[str, Any]:
    """Return a copy of the trainer's config whose loggers write into the run folder, or nowhere without a run."""
    loggers = trainer.get("logger")
    if isinstance(loggers, list):
        return {**trainer, "logger": [_in_run(logger, run) for logger in loggers]}
    return {**trainer, "logger": _in_run(loggers, run)} if isinstance(loggers, dict) else trainer


def _in_run(logger: dict[str, Any], run: Run | None) -> dict[str, Any]:
    """Return a copy of a logger's config for a run; a W&B run keeps its id over restarts."""
    init_args = dict(logger.get("init_args", {}))
    if run is None:
        return {**logger, "init_args": {"save_dir": "runs", **init_args}}
    init_args.setdefault("save_dir", str(run.folder))
    if logger.get("class_path") in (LIGHTNING_WANDB, WANDB_LOGGER):
        logger = {**logger, "class_path": WANDB_LOGGER}
        init_args.setdefault("id", wandb_id(run.folder))
        init_args.setdefault("resume", "allow")
        init_args.setdefault("group", run.experiment)
        init_args.setdefault("job_type", job_type(run.config))
        init_args.setdefault("tags", list(run.tags))
        init_args.setdefault("name", f"{run.experiment}-{run.folder.name}")
    return {**logger, "init_args": init_args}
