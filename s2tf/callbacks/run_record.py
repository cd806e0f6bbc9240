"""The record of a run: its facts, inputs and outputs, sent to its loggers and noted in its folder."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L

from s2tf.fault_tolerance.wandb_page import note_page
from s2tf.loggers.journal import JournalFollower
from s2tf.provenance import lineage, wandb_artifacts
from s2tf.provenance.facts import facts


class RunRecord(L.Callback):
    """Logs the facts of a run and, to W&B, its inputs; `record_outputs` logs its outputs."""

    def __init__(self, config: Mapping[str, Any], experiment: str, folder: Path, artifacts: bool, upload: bool) -> None:
        """Build the record.

        Args:
            config: the composed experiment.
            experiment: name of the experiment.
            folder: folder of the run.
            artifacts: record inputs and outputs.
            upload: also send their files to W&B.
        """
        # A copy, since Lightning's parser puts objects into its dictionary.
        self.config = copy.deepcopy(dict(config))
        self.experiment, self.folder = experiment, folder
        self.artifacts, self.upload = artifacts, upload
        self.inputs: list[lineage.Item] = []

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log facts and inputs."""
        if not trainer.is_global_zero:
            return
        data = getattr(trainer, "datamodule", None)
        told = facts(self.config, self.folder, pl_module, data)
        if self.artifacts:
            self.inputs = lineage.find_inputs(self.config, data)
            lineage.write(self.folder, self.experiment, self.inputs, [])
            told["inputs"] = {f"{item.kind}/{item.name}": item.fingerprint for item in self.inputs}
        for logger in trainer.loggers:
            logger.log_hyperparams(told)
        for logger in _wandb_runs(trainer):
            with logger.guarded():
                note_page(self.folder, logger.page)
                for item in self.inputs:
                    wandb_artifacts.use(logger.experiment, item, self.upload)

    def record_outputs(self, trainer: L.Trainer, networks: Path) -> None:
        """Log the networks that a finished fit has saved; call on rank 0.

        Args:
            trainer: trainer of the fit.
            networks: the folder of the run's networks.
        """
        if not self.artifacts:
            return
        item = lineage.networks_item(networks, self.experiment)
        lineage.write(self.folder, self.experiment, self.inputs, [item])
        for logger in _wandb_runs(trainer):
            with logger.guarded():
                wandb_artifacts.log(logger.experiment, item, self.upload, [self.folder.name])


def _wandb_runs(trainer: L.Trainer) -> list[JournalFollower]:
    return [logger for logger in trainer.loggers if isinstance(logger, JournalFollower)]
