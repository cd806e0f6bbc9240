"""Where a run is to be seen in W&B."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ADDRESS = "https://wandb.ai"
"""Of W&B's own server."""


def wandb_link(config: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> str:
    """The address of a run's page in W&B, or why it has none.

    Args:
        config: a composed experiment.
        folder: of the run, which has an id already or gets one when it begins.
        environment: with W&B's variables.
    """
    logger = config.get("trainer", {}).get("logger")
    if not isinstance(logger, dict) or not str(logger.get("class_path", "")).endswith(("WandbLogger", "WandbRun")):
        return "none (trainer.logger is no W&B)"
    init_args = logger.get("init_args", {})
    mode = "offline" if init_args.get("offline") else environment.get("WANDB_MODE", "online")
    if mode in ("disabled", "dryrun", "offline"):
        return f"{mode}; `{sync_command(folder)}` sends it later" if mode != "disabled" else mode
    entity = init_args.get("entity") or environment.get("WANDB_ENTITY")
    if not entity:
        return "online; its address is not known before it begins: set WANDB_ENTITY"
    project = init_args.get("project") or environment.get("WANDB_PROJECT", "lightning_logs")
    path = folder / "wandb_id"
    page = f"{server(environment)}/{entity}/{project}"
    return f"{page}/runs/{path.read_text().strip()}" if path.is_file() else page


def sync_command(folder: Path) -> str:
    """What hands a run on that was written to disk: each start's part, in their order, to the end of the last."""
    return f'for part in {shlex.quote(str(folder))}/wandb/*run-*; do wandb sync --append "$part"; done'


def server(environment: Mapping[str, str]) -> str:
    """The address of W&B's pages."""
    return environment.get("WANDB_BASE_URL", ADDRESS).rstrip("/").replace("://api.wandb.ai", "://wandb.ai")
