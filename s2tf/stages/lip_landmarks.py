"""Lip landmarks from speech: the training of audio2lmk."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.batches import Clip, MotionSequenceBatch
from s2tf.metrics.correlation import pearson
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.nn.lips import mouth_opening, render_lips
from s2tf.nn.network import Network
from s2tf.previews import Samples, SampleVideo
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import decay_groups, total_steps, warmup_cosine
from s2tf.stages.silence import Silence
from s2tf.stages.speech_features import check_stored_features, checked_features, features_of, restorable

RENDERED_SIDE = 128
"""Side of the rendered lips, in pixels."""
BAND = 8
"""Height in pixels of the band that shows an opening over time."""


class LipLandmarksStage(Stage):
    """Trains `LipLandmarks`, and speech features if they are trainable, on canonical lips by L1, as in AniPortrait."""

    ema_networks = ("speech_features", "lip_landmarks")

    def __init__(
        self,
        speech_features: Network,
        lip_landmarks: LipLandmarks,
        learning_rate: float = 1e-4,
        velocity_weight: float = 0.0,
        warmup_steps: int = 0,
        silence: float = 0.0,
    ) -> None:
        """Build the stage.

        Args:
            speech_features: waveform to features at 50 Hz, a `SpeechFeatures`.
            lip_landmarks: features and a reference's lips to lips.
            learning_rate: rate of Adam.
            velocity_weight: factor on the L1 distance of frame-to-frame differences, against jitter; 0 is AniPortrait.
            warmup_steps: steps over which the rate rises from zero; then it follows a cosine to zero at max_steps.
            silence: share of the training windows that get a silence with closed lips, see `s2tf.stages.silence`.

        Raises:
            ValueError: the parts do not fit each other, or the share is not between 0 and 1.
        """
        super().__init__()
        self.speech_features = checked_features(speech_features, lip_landmarks.feature_dim, "lip_landmarks")
        self.lip_landmarks = lip_landmarks
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps
        if not 0 <= silence <= 1:
            raise ValueError(f"silence is {silence}, expected 0 to 1")
        self.velocity_weight, self.silence = velocity_weight, silence
        self._silent_features: Tensor | None = None
        self.frozen = restorable(self.speech_features)

    def networks(self) -> dict[str, Network]:
        """`speech_features` and `lip_landmarks`."""
        return {"speech_features": self.speech_features, "lip_landmarks": self.lip_landmarks}

    def setup(self, stage: str) -> None:
        """Check that stored features come from this network."""
        check_stored_features(self.trainer, self.speech_features)

    def predict_lips(self, batch: MotionSequenceBatch) -> Tensor:
        """Canonical lips (B, T, 20, 2) for a batch's speech and its reference's lips."""
        features = features_of(batch, self.speech_features, batch["lips"].shape[1])
        return self.lip_landmarks(features, batch["reference_lips"])

    def losses(self, batch: MotionSequenceBatch) -> dict[str, Tensor]:
        """The named terms and their weighted sum `loss`; in units of the outer-eye distance."""
        return self._losses(self.predict_lips(batch), batch["lips"])

    def training_step(self, batch: MotionSequenceBatch, batch_idx: int) -> Tensor:
        """One step on a batch of sequences."""
        losses = self.losses(self._silenced(batch))
        self.log_losses("train", losses, len(batch["lips"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: MotionSequenceBatch, batch_idx: int) -> None:
        """Log the losses, the loss of the unmoved reference, and the correlation of the mouth's opening."""
        reference = batch["lips"]
        lips = self.predict_lips(batch)
        values = self._losses(lips, reference) | {
            "reference_l1": F.l1_loss(batch["reference_lips"][:, None].expand_as(reference), reference),
            "opening_correlation": _opening_correlation(lips, reference),
        }
        self.log_losses("val", values, len(reference))

    def samples(self, batch: MotionSequenceBatch, clips: Sequence[Clip]) -> Samples:
        """Show videos of the reference and the predicted lips with the speech, and both openings over time."""
        lips = {"true": batch["lips"], "predicted": self.predict_lips(batch)}
        videos = [
            SampleVideo({name: _rendered(points[row]) for name, points in lips.items()}, batch["waveform"][row])
            for row in range(len(batch["lips"]))
        ]
        openings = {f"opening/{name}": mouth_opening(points) for name, points in lips.items()}
        bands = {name: opening[:, None].expand(-1, BAND, -1) for name, opening in openings.items()}
        return Samples(batch["key"], maps=bands, videos=videos)

    def on_fit_start(self) -> None:
        """Record that trained features are no longer random; also called where a finished run is only exported."""
        self.speech_features.mark_trained()

    def configure_optimizers(self) -> Any:
        """Adam, and the schedule."""
        groups = decay_groups([self.speech_features, self.lip_landmarks], self.learning_rate, weight_decay=0.0)
        optimizer = torch.optim.Adam(groups)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _silenced(self, batch: MotionSequenceBatch) -> MotionSequenceBatch:
        """The batch with silences and closed lips in some of its rows."""
        if self.silence == 0:
            return batch
        rows, frames = batch["lips"].shape[:2]
        silence = Silence.sample(rows, frames, self.silence, self.device)
        changed = {"lips": silence.lips(batch["lips"]), "waveform": silence.waveform(batch["waveform"])}
        if "features" in batch:
            changed["features"] = silence.features(batch["features"], self._features_of_silence(batch))
        return cast(MotionSequenceBatch, {**batch, **changed})

    @torch.no_grad()
    def _features_of_silence(self, batch: MotionSequenceBatch) -> Tensor:
        """Features of silence, (2 T, C), computed once: stored features come from a network that does not change."""
        if self._silent_features is None or len(self._silent_features) != batch["features"].shape[1]:
            frames = batch["lips"].shape[1]
            self._silent_features = self.speech_features(torch.zeros_like(batch["waveform"][:1]), frames)[0]
        return self._silent_features

    def _losses(self, lips: Tensor, reference: Tensor) -> dict[str, Tensor]:
        terms = {"l1": F.l1_loss(lips, reference)}
        # A single frame has no velocity.
        velocity = (
            F.l1_loss(lips.diff(dim=1), reference.diff(dim=1))
            if reference.shape[1] > 1
            else torch.zeros_like(terms["l1"])
        )
        terms["velocity"] = velocity
        return {**terms, "loss": terms["l1"] + self.velocity_weight * velocity}


def _rendered(lips: Tensor) -> Tensor:
    """Canonical lips (T, 20, 2) as enlarged pictures (T, 3, side, side) in [-1, 1]."""
    centred = lips.float() - lips.float().mean(dim=(0, 1))
    return 2 * render_lips(1.5 * centred, RENDERED_SIDE) - 1


def _opening_correlation(lips: Tensor, reference: Tensor) -> Tensor:
    """Correlation over time of the mouths' openings, mean over the clips; a mouth that stands still counts as 0."""
    # A training that diverges is stopped by its loss.
    if not (lips.isfinite().all() and reference.isfinite().all()):
        return torch.tensor(torch.nan)
    openings = zip(*(mouth_opening(one).detach().float().cpu() for one in (lips, reference)), strict=True)
    return torch.tensor([pearson(one.numpy(), other.numpy()) for one, other in openings]).nan_to_num().mean()
