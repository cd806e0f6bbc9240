"""Training of SyncNet: embeddings of the same moment become similar, those of other moments of a clip dissimilar."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor

from s2tf.batches import Clip, LipSyncBatch
from s2tf.losses.sync import matching_accuracy, matching_loss, window_distances
from s2tf.models.syncnet import SyncNet
from s2tf.nn.network import Network
from s2tf.previews import Samples
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import adam, decay_groups, total_steps, warmup_cosine


class SyncNetStage(Stage):
    """Trains `SyncNet` to find each lip window's speech among those of its clip, and each speech's lips.

    A multi-way matching (Chung, Chung and Kang 2019) replaces the paper's pairs with a margin: every step compares K²
    pairs of each clip. The softmax is over negative Euclidean distances, the basis of LSE-D and LSE-C, without a
    temperature, since the length of the embeddings is free.
    """

    best = ("val/accuracy", "max")

    def __init__(
        self, syncnet: SyncNet, learning_rate: float = 1e-4, weight_decay: float = 0.0, warmup_steps: int = 0
    ) -> None:
        """Build the stage.

        Args:
            syncnet: both branches.
            learning_rate: rate of AdamW.
            weight_decay: decoupled decay of matrices and convolutions only.
            warmup_steps: steps over which the rate rises from zero; then it follows a cosine to zero at max_steps.
        """
        super().__init__()
        self.syncnet = syncnet
        self.learning_rate, self.weight_decay, self.warmup_steps = learning_rate, weight_decay, warmup_steps

    def networks(self) -> dict[str, Network]:
        """`syncnet`."""
        return {"syncnet": self.syncnet}

    def distances(self, batch: LipSyncBatch) -> Tensor:
        """(B, K, K) between the lips (rows) and the speech (columns) of a clip's windows; see `window_distances`."""
        rows, windows = batch["lips"].shape[:2]
        embeddings = self.syncnet(batch["lips"].flatten(0, 1), batch["mfcc"].flatten(0, 1))
        return window_distances(*(part.unflatten(0, (rows, windows)) for part in embeddings))

    def training_step(self, batch: LipSyncBatch, batch_idx: int) -> Tensor:
        """One step on a batch of clips."""
        losses = {"loss": matching_loss(self.distances(batch))}
        self.log_losses("train", losses, len(batch["lips"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: LipSyncBatch, batch_idx: int) -> None:
        """Log the loss, and the share of windows whose nearest counterpart is their own."""
        distances = self.distances(batch)
        values = {"loss": matching_loss(distances), "accuracy": matching_accuracy(distances)}
        self.log_losses("val", values, len(distances))

    def samples(self, batch: LipSyncBatch, clips: Sequence[Clip]) -> Samples:
        """The distances of lips (rows, from the bottom) and speech (columns): dark on the diagonal where in sync."""
        return Samples(batch["key"], maps={"distances": self.distances(batch)})

    def on_fit_start(self) -> None:
        """Record that the network is trained; also called where a finished run is only exported."""
        self.syncnet.mark_trained()

    def configure_optimizers(self) -> Any:
        """AdamW, and the schedule."""
        groups = decay_groups([self.syncnet], self.learning_rate, self.weight_decay)
        optimizer = adam(groups, self.trainer, decoupled=True)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
