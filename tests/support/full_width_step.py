"""One training step of an experiment of the paper's size, alone in its process: `python ... EXPERIMENT SHARDS DEVICE`.

Prints JSON: seconds from the start of the program, peak memory in bytes, the loss, and those that stood still.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch

from s2tf.config import EXPERIMENTS, compose
from s2tf.models.pretrained_speech import HUBERT_LARGE
from s2tf.runs.build import build

BEGUN = time.monotonic()
ONE = ("devices=1", "strategy=auto", "precision=32-true", "logger=false", "max_steps=1")
QUIET = ("enable_checkpointing=false", "enable_progress_bar=false", "enable_model_summary=false", "limit_val_batches=0")
BATCH = {"conre": 2, "syncnet": 1}
"""Rows of a batch where batch statistics or other rows enter the loss; 1 elsewhere."""


def whole_config(name: str, shards: Path, device: str) -> dict[str, Any]:
    """Compose an experiment; networks that it loads from earlier runs are new ones of the paper's size."""
    overrides = [f"trainer.{one}" for one in (f"accelerator={device}", *ONE, *QUIET)]
    overrides += [
        f"vars.shards={shards}",
        f"data.init_args.batch_size={BATCH.get(name, 1)}",
        "data.init_args.num_workers=0",
    ]
    config = compose(EXPERIMENTS / f"{name}.yaml", overrides, missing="random")
    parts = config["model"]["init_args"]
    # At the first rate of a rise over 1000 steps a weight of 1 rounds to itself.
    parts["warmup_steps"] = 0
    if "scfp" in name:
        conre = compose(EXPERIMENTS / "conre.yaml", missing="random")["model"]["init_args"]
        parts |= {key: conre[key] for key in ("speech_encoder", "face_encoder", "face_decoder")}
        parts["diffusion"]["init_args"]["prior"] = {"class_path": "s2tf.models.face_prior.FacePrior"}
    if name == "codebook":
        earlier = compose(EXPERIMENTS / "motion_autoencoder.yaml", missing="random")["model"]["init_args"][
            "autoencoder"
        ]
        earlier["init_args"]["codebook"] = parts["autoencoder"]["init_args"]["codebook"]
        parts["autoencoder"] = earlier
    if str(parts.get("speech_features", "")).count("HubertFeatures"):
        parts["speech_features"]["init_args"] |= {"weights": "random", "config": HUBERT_LARGE}
    return config


class Moved(L.Callback):
    """Compares some values of every trained tensor before and after the step."""

    def on_train_start(self, trainer: L.Trainer, stage: L.LightningModule) -> None:
        """Remember."""
        self.before = {name: values_of(value) for name, value in trained(stage)}

    def on_train_end(self, trainer: L.Trainer, stage: L.LightningModule) -> None:
        """Compare."""
        self.still = [name for name, value in trained(stage) if torch.equal(values_of(value), self.before[name])]


def trained(stage: L.LightningModule) -> list[tuple[str, torch.Tensor]]:
    """List the trained tensors."""
    return [(name, value) for name, value in stage.named_parameters() if value.requires_grad]


def values_of(value: torch.Tensor) -> torch.Tensor:
    """Copy a few values spread over a tensor; an odd step meets every column, one of which may be at rest."""
    flat = value.detach().flatten()
    return flat[:: len(flat) // 997 | 1].clone()


def main(name: str, shards: str, device: str = "cpu") -> None:
    """Build, train a step, and print what it took."""
    warnings.simplefilter("ignore")
    config = whole_config(name, Path(shards), device)
    moved = Moved()
    cli = build(config, callbacks=[moved])
    built = time.monotonic() - BEGUN
    if "scfp" in name:
        # A prior of zeros gives its weighting no gradient.
        torch.nn.init.normal_(cli.model.diffusion.prior.z_p)
    if hasattr(cli.model, "adversarial_start"):
        cli.model.adversarial_start = 0
    cli.trainer.fit(cli.model, cli.datamodule)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "seconds": time.monotonic() - BEGUN,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "built": built,
        "peak": used.ru_maxrss * 1024,
        "loss": float(cli.trainer.callback_metrics["train/loss"]),
        "trained": len(moved.before),
        "still": moved.still,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
