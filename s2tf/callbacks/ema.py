"""An exponential moving average of the networks that a stage names, kept beside the trained weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class ExponentialMovingAverage(L.Callback):
    """Averages the weights of the attributes that the stage lists in `ema_networks`.

    Counts batches, not `global_step`, which rises by two per batch if a stage steps two optimisers. The decay warms up
    as (1 + n) / (10 + n), so that the average forgets the random start quickly, even in short runs.

    The averages replace the weights in validation, testing and prediction, and after the fit, when the stage
    exports its networks. Checkpoints hold the weights in training as usual, and the averages in this callback's state.
    The running mean and variance of trained batch norms are averaged alike, so that averaged weights are not normalised
    by the statistics of others; other buffers are those of the training.
    """

    def __init__(self, decay: float = 0.9999) -> None:
        """Set the decay at the end of the warm-up.

        Raises:
            ValueError: `decay` is not in [0, 1).
        """
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, expected at least 0 and less than 1")
        self.decay = decay
        self.batches = 0
        self._averages: dict[str, Tensor] = {}
        self._training: dict[str, Tensor] | None = None

    @contextmanager
    def swapped(self, stage: L.LightningModule) -> Iterator[None]:
        """Replace the weights by the averages within a `with` block."""
        self._swap_in(stage)
        try:
            yield
        finally:
            self._swap_out(stage)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start from the stage's weights, unless a checkpoint brought averages."""
        self._swap_out(pl_module)
        averaged = averaged_tensors(pl_module)
        # A checkpoint of an earlier version has no averages of statistics: they start from those in training.
        lacking = averaged.keys() - self._averages.keys()
        needed = lacking & averaged_parameters(pl_module).keys() if self._averages else set()
        if wrong := sorted(needed | (self._averages.keys() - averaged.keys())):
            raise RuntimeError(
                f"the checkpoint's averages do not fit {type(pl_module).__name__}.ema_networks: {wrong[:3]} differ"
            )
        self._averages = {
            name: self._averages.get(name, tensor.detach().clone()).to(tensor.device)
            for name, tensor in averaged.items()
        }

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the averages towards the weights."""
        self.batches += 1
        decay = min(self.decay, (1 + self.batches) / (10 + self.batches))
        for name, tensor in averaged_tensors(pl_module).items():
            self._averages[name].lerp_(tensor.detach(), 1 - decay)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate the averages."""
        self._swap_in(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the weights in training back."""
        self._swap_out(pl_module)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Test the averages."""
        self._swap_in(pl_module)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the weights in training back."""
        self._swap_out(pl_module)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the averages in the stage, for its export; the next fit starts from the weights in training."""
        self._swap_in(pl_module)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Put the weights in training back, in case validation was interrupted."""
        self._swap_out(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The averages and the count of batches."""
        return {"batches": self.batches, "averages": self._averages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the averages of a checkpoint."""
        self.batches = state_dict["batches"]
        self._averages = {name: value.clone() for name, value in state_dict["averages"].items()}

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store the weights in training, also while the averages stand in for them."""
        if self._training is not None:
            checkpoint["state_dict"].update(self._training)

    @torch.no_grad()
    def _swap_in(self, stage: L.LightningModule) -> None:
        if self._training is not None or not self._averages:
            return
        tensors = {name: tensor for name, tensor in averaged_tensors(stage).items() if name in self._averages}
        self._training = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        _copy_into(tensors, self._averages)

    @torch.no_grad()
    def _swap_out(self, stage: L.LightningModule) -> None:
        if self._training is None:
            return
        tensors = averaged_tensors(stage)
        _copy_into({name: tensors[name] for name in self._training}, self._training)
        self._training = None


def averaged_tensors(stage: L.LightningModule) -> dict[str, Tensor]:
    """The averaged parameters, and the running statistics of the trained batch norms among them."""
    tensors: dict[str, Tensor] = dict(averaged_parameters(stage))
    for name in stage.ema_networks:  # type: ignore[union-attr]
        for place, module in getattr(stage, name).named_modules(prefix=name):
            if isinstance(module, _BatchNorm) and f"{place}.weight" in tensors and module.track_running_stats:
                tensors |= {f"{place}.{key}": module.get_buffer(key) for key in ("running_mean", "running_var")}
    return tensors


def averaged_parameters(stage: L.LightningModule) -> dict[str, torch.nn.Parameter]:
    """The trained parameters of the networks in `stage.ema_networks`, by their names in the stage.

    Raises:
        ValueError: the stage has no `ema_networks`, or one of them is not a network of the stage.
    """
    names = getattr(stage, "ema_networks", ())
    if not names:
        raise ValueError(f"{type(stage).__name__} lists no ema_networks: the EMA callback would average nothing")
    parameters: dict[str, torch.nn.Parameter] = {}
    for name in names:
        network = getattr(stage, name, None)
        if not isinstance(network, torch.nn.Module):
            raise ValueError(f"{type(stage).__name__}.ema_networks names {name!r}, which is not a network of the stage")
        trained = {key: value for key, value in network.named_parameters() if value.requires_grad}
        parameters |= {f"{name}.{key}": value for key, value in trained.items()}
    return parameters


def _copy_into(targets: Mapping[str, Tensor], sources: Mapping[str, Tensor]) -> None:
    for name, target in targets.items():
        target.copy_(sources[name])
