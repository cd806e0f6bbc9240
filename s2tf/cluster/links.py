"""Addresses of runs in W&B."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.wandb_page import OFFLINE, read_page

ADDRESS = "https://wandb.ai"
"""Address of W&B's own server."""


def begun_link(folder: Path) -> str:
    """Read the address of a run that has begun in W&B; empty if it has not begun."""
    page = read_page(folder)
    return _sent_later(page, folder) if page == OFFLINE else page


def wandb_link(config: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> str:
    """Predict the address of a run in W&B, or return the reason why it will have none.

    Args:
        config: A composed experiment.
        folder: Folder of the run, which has an id already or gets it when it begins.
        environment: Environment variables, with those of W&B.
    """
    # The logger for W&B, if there is one, and its mode.
    loggers = config.get("trainer", {}).get("logger")
    listed = loggers if isinstance(loggers, list) else [loggers]
    logger = next((one for one in listed if _is_wandb(one)), None)
    if logger is None:
        return "none (trainer.logger is not W&B)"
    init_args = logger.get("init_args", {})
    mode = "offline" if init_args.get("offline") else environment.get("WANDB_MODE", "online")
    if mode in ("disabled", "dryrun", "offline"):
        return _sent_later(mode, folder) if mode != "disabled" else mode
    # The address consists of entity, project and id, as far as they are known.
    entity = init_args.get("entity") or environment.get("WANDB_ENTITY")
    if not entity:
        return "online; its address is not known before it begins: set WANDB_ENTITY"
    project = init_args.get("project") or environment.get("WANDB_PROJECT", "lightning_logs")
    path = folder / "wandb_id"
    page = f"{server(environment)}/{entity}/{project}"
    return f"{page}/runs/{path.read_text().strip()}" if path.is_file() else page


def _is_wandb(logger: Any) -> bool:
    return isinstance(logger, dict) and str(logger.get("class_path", "")).endswith(("WandbLogger", "WandbRun"))


def _sent_later(mode: str, folder: Path) -> str:
    return f"{mode}; `{sync_command(folder)}` sends it later"


def sync_command(folder: Path) -> str:
    """Return the command that sends a run from disk to W&B: the files of each start, in order."""
    return f'for part in {shlex.quote(str(folder))}/wandb/*run-*; do wandb sync --append "$part"; done'


def server(environment: Mapping[str, str]) -> str:
    """Return the address of W&B's pages."""
    return environment.get("WANDB_BASE_URL", ADDRESS).rstrip("/").replace("://api.wandb.ai", "://wandb.ai")
