"""The base class of the training stages: their networks, checkpoints, logs and seeds."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import lightning as L
import torch
import torch.nn as nn
from torch.nn.parallel import DistributedDataParallel

from s2tf.batches import Clip
from s2tf.metrics.row_mean import RowMean
from s2tf.nn.network import Network
from s2tf.previews import Samples

NETWORKS_FOLDER = "networks"
SEED_VARIABLE = "PL_GLOBAL_SEED"
"""Environment variable in which Lightning's `seed_everything` leaves the seed."""
SEED_STRIDE = 2**32
"""Distance between the batches' seeds of two trainings: more than the number of batches of a training."""


class Stage(L.LightningModule):
    """A LightningModule that trains the networks it is given.

    Subclasses name their parts: `networks` are used by later stages and pipelines; `frozen` are attributes
    (pretrained encoders, feature networks of losses) that are neither trained nor stored in the checkpoint. `best` is
    the validation number that chooses the best checkpoint, and its better direction.
    """

    frozen: tuple[str, ...] = ()
    best: tuple[str, Literal["min", "max"]] = ("val/loss", "min")

    def __init__(self) -> None:
        """Build the stage without any means."""
        super().__init__()
        self.means = nn.ModuleDict()

    def networks(self) -> dict[str, Network]:
        """Folder name -> the network that this stage saves for later stages."""
        raise NotImplementedError

    def samples(self, batch: Any, clips: Sequence[Clip]) -> Samples:
        """Make a preview of a few validation rows; the base class makes none.

        Called on one rank, between two batches, in evaluation mode, without gradients, with a seeded generator. It must
        not call a collective, log, or change the stage.

        Args:
            batch: N rows on the stage's device.
            clips: the beginnings of N clips; empty where the data have none.
        """
        return Samples()

    def export(self, folder: str | Path) -> Path:
        """Save every network of `networks` below `folder`/networks; returns that folder."""
        networks_folder = Path(folder) / NETWORKS_FOLDER
        for name, network in self.networks().items():
            network.save_pretrained(networks_folder / name)
        return networks_folder

    def freeze_parts(self) -> None:
        """Stop the gradients of the frozen parts and put them into evaluation mode; call at a constructor's end."""
        for part in self._frozen_modules():
            part.requires_grad_(False)
            part.eval()

    def train(self, mode: bool = True) -> "Stage":
        """Set the mode of the trained parts; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen_modules():
            part.eval()
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The state without the frozen parts, whose weights stay in the files they were loaded from."""
        state = super().state_dict(*args, **kwargs)
        return {key: value for key, value in state.items() if not self._is_frozen(key)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load a state; frozen parts may be missing from it, any other difference is an error."""
        result = super().load_state_dict(state_dict, strict=False, assign=assign)
        missing = [key for key in result.missing_keys if not self._is_frozen(key)]
        if strict and (missing or result.unexpected_keys):
            raise RuntimeError(
                f"the checkpoint does not fit {type(self).__name__}: "
                f"missing {missing[:5]}, unexpected {result.unexpected_keys[:5]}"
            )
        return result

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed all generators by the run's seed, the batch and the rank.

        Noise and dropout of a batch are thus the same whether or not the training was interrupted before, and no
        checkpoint has to hold the state of every rank's generators.
        """
        number = self.trainer.fit_loop.total_batch_idx * self.trainer.world_size + self.trainer.global_rank
        torch.manual_seed(SEED_STRIDE * int(os.environ.get(SEED_VARIABLE, 0)) + number)

    def on_validation_start(self) -> None:
        """Stop the broadcast of buffers, so that ranks may have different numbers of batches."""
        self._broadcast_buffers(False)

    def on_validation_end(self) -> None:
        """Broadcast buffers again."""
        self._broadcast_buffers(True)

    def _broadcast_buffers(self, on: bool) -> None:
        # DDP broadcasts buffers in every forward pass, also in validation: ranks would wait for one with fewer batches.
        model = self.trainer.strategy.model
        if isinstance(model, DistributedDataParallel):
            model.require_forward_param_sync = on

    def log_losses(self, split: str, losses: Mapping[str, torch.Tensor], batch_size: int) -> None:
        """Log each named loss of a batch as `split/name`; `loss` is also shown in the progress bar.

        In training the value is that of this batch and rank, otherwise the mean over all rows of all ranks.
        """
        for name, value in losses.items():
            key, shown = f"{split}/{name}", name == "loss"
            if split == "train":
                self.log(key, value.detach(), prog_bar=shown, on_step=True, on_epoch=False, batch_size=batch_size)
                continue
            # `sync_dist` would be wrong: Lightning 2.6 rounds the ranks' mean number of rows down, 3.5 to 3.
            self._mean(key).update(value.detach(), batch_size)
            self.log(key, self._mean(key), metric_attribute=f"means.{key}", prog_bar=shown, on_epoch=True)

    def log_values(self, split: str, values: Mapping[str, torch.Tensor]) -> None:
        """Log numbers of a whole data set, equal on all ranks, as `split/name`; `loss` also in the progress bar."""
        for name, value in values.items():
            self.log(f"{split}/{name}", value.float(), prog_bar=name == "loss", sync_dist=True)

    def mean_so_far(self, split: str, name: str) -> torch.Tensor:
        """The mean of `name` over all rows that `log_losses` has logged, on all ranks."""
        return self._mean(f"{split}/{name}").compute()

    def _mean(self, key: str) -> RowMean:
        if key not in self.means:
            self.means[key] = RowMean().to(self.device)
        return cast(RowMean, self.means[key])

    def checked(self, losses: Mapping[str, torch.Tensor], batch: Mapping[str, Any]) -> torch.Tensor:
        """Return the loss to train on, `losses["loss"]`, after a check that it is finite.

        Raises:
            FloatingPointError: the loss is not finite; the message names the terms, the clips, and the file to which
                this rank has saved the batch and the stage.
        """
        loss = losses["loss"]
        if torch.isfinite(loss):
            return loss
        path = Path(self.trainer.default_root_dir) / f"not_finite-rank{self.global_rank}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        # The trainer's own saving would wait for the other ranks, whose loss may be finite.
        torch.save({"step": self.global_step, "batch": dict(batch), "state_dict": super().state_dict()}, path)
        terms = {name: float(value.detach()) for name, value in losses.items()}
        raise FloatingPointError(
            f"the loss is {terms['loss']} at step {self.global_step}: {terms}, clips {list(batch['key'])}; batch and "
            f"weights are in {path}"
        )

    def _frozen_modules(self) -> list[nn.Module]:
        modules = dict(self.named_modules())
        return [modules[name] for name in self.frozen if name in modules]

    def _is_frozen(self, key: str) -> bool:
        return any(key.startswith(f"{name}.") for name in self.frozen)
