"""The optimizer of a stage outside a training."""

from typing import Any

import lightning as L
import torch


def optimizer_of(stage: L.LightningModule) -> torch.optim.Optimizer:
    """The optimizer that a stage configures for a Trainer on the CPU."""
    stage.trainer = L.Trainer(
        accelerator="cpu", devices=1, max_steps=4, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    configured: Any = stage.configure_optimizers()
    return configured["optimizer"] if isinstance(configured, dict) else configured
