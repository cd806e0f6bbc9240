"""Where a run is to be seen in W&B."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.wandb_page import OFFLINE, read_page

ADDRESS = "https://wandb.ai"
"""Of W&B's own server."""


def begun_link(folder: Path) -> str:
    """Where a run is to be seen in W&B since it has begun there; empty before that."""
    page = read_page(folder)
    return _sent_later(page, folder) if page == OFFLINE else page


def wandb_link(config: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> str:
    """Where a run will be seen in W&B when it begins, or why it will not.

    Args:
        config: a composed experiment.
        folder: of the run, which has an id already or gets one when it begins.
        environment: with W&B's variables.
    """
    loggers = config.get("trainer", {}).get("logger")
    listed = loggers if isinstance(loggers, list) else [loggers]
    logger = next((one for one in listed if _is_wandb(one)), None)
    if logger is None:
        return "none (trainer.logger is no W&B)"
    init_args = logger.get("init_args", {})
    mode = "offline" if init_args.get("offline") else environment.get("WANDB_MODE", "online")
    if mode in ("disabled", "dryrun", "offline"):
        return _sent_later(mode, folder) if mode != "disabled" else mode
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
    """What hands a run on that was written to disk: each start's part, in their order, to the end of the last."""
    return f'for part in {shlex.quote(str(folder))}/wandb/*run-*; do wandb sync --append "$part"; done'


def server(environment: Mapping[str, str]) -> str:
    """The address of W&B's pages."""
    return environment.get("WANDB_BASE_URL", ADDRESS).rstrip("/").replace("://api.wandb.ai", "://wandb.ai")
