"""Memory of a whole training step of the second stage, counted on tensors without values: losses and judges in it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from s2tf.config import EXPERIMENTS, compose
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.reporting.costs.memory import MemoryEstimate, saved_bytes
from s2tf.reporting.costs.parameters import lip_network, with_sizes
from s2tf.runs.build import build

SECOND_STAGE = ("motion_autoencoder", "codebook", "lip_landmarks", "motion_diffusion")
ALONE = {"accelerator": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true", "logger": False}
FROM_THE_START = {"adversarial_start": 0, "restart_codes_every": 0}
"""Settings that put every term into the step that is counted, and nothing that reads values, for there are none."""


def estimate_second_stage() -> dict[str, MemoryEstimate]:
    """Estimate the memory of training each part of the second stage at the paper's size."""
    return {name: _estimate(name) for name in SECOND_STAGE}


def _estimate(name: str) -> MemoryEstimate:
    config = _on_one_machine(name)
    batch_size = config["data"]["init_args"]["batch_size"]
    # Unlike those on `meta`, such tensors have a device that autocast knows.
    with FakeTensorMode(), _quiet():
        stage = build(config).model
        _let_run_without_values(stage)
        own = {value.untyped_storage()._cdata for value in (*stage.parameters(), *stage.buffers())}
        step = partial(_step, stage, config["data"]["init_args"])
        # Of two batch sizes, since some tensors do not grow with the batch.
        one, two = (saved_bytes(partial(step, rows), own) for rows in (2, 3))
    count = sum(value.numel() for value in stage.parameters())
    trained = sum(value.numel() for value in stage.parameters() if value.requires_grad)
    averaged = "ExponentialMovingAverage" in str(config["trainer"].get("callbacks"))
    # An estimate halves what is counted; here it is counted under bf16.
    return MemoryEstimate((4 + 2) * count, 4 * trained * (4 if averaged else 3), 2 * (two - one), batch=batch_size)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what Lightning says of a trainer, none of which is used."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _on_one_machine(name: str) -> dict[str, Any]:
    """Compose an experiment for one process; networks of earlier runs and of files get random weights."""
    config = compose(EXPERIMENTS / f"{name}.yaml", missing="random")
    config["trainer"] |= ALONE
    parts = config["model"]["init_args"]
    if parts.get("speech_features"):
        parts["speech_features"] = with_sizes(parts["speech_features"])
    if "lip_landmarks" in parts:
        parts["lip_landmarks"] = lip_network(parts["lip_landmarks"])
    if name == "codebook":
        earlier = compose(EXPERIMENTS / "motion_autoencoder.yaml", missing="random")["model"]["init_args"][
            "autoencoder"
        ]
        earlier["init_args"]["codebook"] = parts["autoencoder"]["init_args"]["codebook"]
        parts["autoencoder"] = earlier
    return config


def _let_run_without_values(stage: Any) -> None:
    """Replace what reads values or needs a trainer, and start every term at once."""
    for name, value in FROM_THE_START.items():
        if hasattr(stage, name):
            setattr(stage, name, value)
    stage.log_losses = lambda *_: None
    stage.checked = lambda losses, _: losses["loss"]


class _Counts(TorchFunctionMode):
    """Counts of indices that have no values: the codes in use."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return counts of the right length in place of `torch.bincount`'s."""
        kwargs = kwargs or {}
        if func is torch.bincount:
            return torch.zeros(kwargs["minlength"], dtype=torch.int64)
        return func(*args, **kwargs)


def _step(stage: Any, data: dict[str, Any], rows: int) -> torch.Tensor:
    with _Counts(), torch.autocast("cpu", torch.bfloat16):
        return stage.training_step(_batch(stage, data, rows), 0)


def _batch(stage: Any, data: dict[str, Any], rows: int) -> dict[str, Any]:
    """Return an empty batch of frame pairs or of motion sequences, see `s2tf.batches`."""
    axes, placement = (3, 6) if data.get("space") else (2, 4)
    lips = (20, axes)
    if "input_size" in data:
        sides = {"source": data["input_size"], "target": data["input_size"]}
        sides |= {f"{name}_output": data["output_size"] for name in ("source", "target")}
        shapes: dict[str, tuple[int, ...]] = {name: (3, side, side) for name, side in sides.items()}
        for name in ("source", "target"):
            shapes |= {f"{name}_lips": lips, f"{name}_eyes": (12, axes), f"{name}_placement": (placement,)}
    else:
        frames = data["frames"]
        shapes = {"waveform": (frames * SAMPLES_PER_FRAME,), "lips": (frames, *lips), "reference_lips": lips}
        shapes["level"] = (2,)
        if data.get("points"):
            shapes |= {"face": (frames, data["points"], 3), "reference_face": (data["points"], 3)}
        if hasattr(stage, "diffusion"):
            shapes["motion"] = (frames, stage.diffusion.motion_dim)
    return {name: torch.zeros(rows, *shape) for name, shape in shapes.items()} | {"key": [""] * rows}
