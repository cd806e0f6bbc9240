"""Lip landmarks from speech: the training of audio2lmk."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.batches import Clip, MotionSequenceBatch
from s2tf.metrics.correlation import pearson
from s2tf.models.audio_to_mesh import AudioToMesh, lips_of
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.lips import mouth_opening, render_lips
from s2tf.nn.network import Network
from s2tf.previews import Samples, SampleVideo
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import adam, decay_groups, total_steps, warmup_cosine
from s2tf.stages.padding import mean_losses
from s2tf.stages.silence import Silence
from s2tf.stages.speech_features import check_stored_features, checked_features, features_of, restorable

RENDERED_SIDE = 128
"""Side of the rendered lips, in pixels."""
BAND = 8
"""Height in pixels of the band that shows an opening over time."""


class LipLandmarksStage(Stage):
    """Trains audio2lmk by L1, as in AniPortrait, whose network is `AudioToMesh`.

    `AudioToMesh` holds its own speech network and learns all points of the face, in space. `LipLandmarks` reads speech
    features, which are trained along if they are trainable, and learns canonical lips.
    """

    def __init__(
        self,
        speech_features: Network | None,
        lip_landmarks: Network,
        learning_rate: float = 1e-4,
        velocity_weight: float = 0.0,
        warmup_steps: int = 0,
        silence: float = 0.0,
    ) -> None:
        """Build the stage.

        Args:
            speech_features: waveform to features at 50 Hz, a `SpeechFeatures`, for `LipLandmarks`; None for
                `AudioToMesh`.
            lip_landmarks: an `AudioToMesh`; or a `LipLandmarks`, features and a reference's lips to lips.
            learning_rate: rate of Adam.
            velocity_weight: factor on the L1 distance of frame-to-frame differences, against jitter; 0 is AniPortrait.
            warmup_steps: steps over which the rate rises from zero; then it follows a cosine to zero at max_steps.
            silence: share of the training windows that get a silence with closed lips, see `s2tf.stages.silence`.

        Raises:
            ValueError: the parts do not fit each other, or the share is not between 0 and 1.
        """
        super().__init__()
        self.lip_landmarks = _checked_network(speech_features, lip_landmarks)
        if isinstance(self.lip_landmarks, LipLandmarks):
            assert speech_features is not None
            dim = self.lip_landmarks.feature_dim
            self.speech_features: SpeechFeatures | None = checked_features(speech_features, dim, "lip_landmarks")
        else:
            self.speech_features = None
        self.ema_networks = tuple(self.networks())
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps
        if not 0 <= silence <= 1:
            raise ValueError(f"silence is {silence}, expected 0 to 1")
        self.velocity_weight, self.silence = velocity_weight, silence
        self._silent_features: Tensor | None = None
        self.frozen = () if self.speech_features is None else restorable(self.speech_features)

    def networks(self) -> dict[str, Network]:
        """`lip_landmarks`, behind `speech_features` where it reads them."""
        features = {} if self.speech_features is None else {"speech_features": self.speech_features}
        return {**features, "lip_landmarks": self.lip_landmarks}

    def setup(self, stage: str) -> None:
        """Check that the data fit the network, and that stored features come from this one.

        Raises:
            ValueError: They do not; the message names the key.
        """
        if self.speech_features is not None:
            check_stored_features(self.trainer, self.speech_features)
            return
        data = getattr(self.trainer, "datamodule", None)
        points = cast(AudioToMesh, self.lip_landmarks).points
        if data is not None and getattr(data, "points", points) != points:
            raise ValueError(
                f"data.init_args.points is {data.points}, expected {points}, the points of "
                "model.init_args.lip_landmarks"
            )

    def predict(self, batch: MotionSequenceBatch) -> Tensor:
        """The points that are learned, for a batch's speech and its reference: see `_target`."""
        frames = batch["lips"].shape[1]
        if isinstance(self.lip_landmarks, AudioToMesh):
            offsets = self.lip_landmarks(batch["waveform"], frames, batch["reference_lips"], batch.get("level"))
            return batch["reference_face"][:, None] + offsets
        assert self.speech_features is not None
        return self.lip_landmarks(features_of(batch, self.speech_features, frames), batch["reference_lips"])

    def predict_lips(self, batch: MotionSequenceBatch) -> Tensor:
        """Canonical lips (B, T, 20, D) for a batch's speech and its reference's lips."""
        return self._lips(self.predict(batch))

    def losses(self, batch: MotionSequenceBatch) -> dict[str, Tensor]:
        """The named terms and their weighted sum `loss`; in units of the outer-eye distance."""
        return self._losses(self.predict(batch), self._target(batch))

    def training_step(self, batch: MotionSequenceBatch, batch_idx: int) -> Tensor:
        """One step on a batch of sequences."""
        losses = mean_losses(batch, lambda part: self.losses(self._silenced(part)))
        self.log_losses("train", losses, len(batch["lips"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: MotionSequenceBatch, batch_idx: int) -> None:
        """Log the losses, the loss of the unmoved reference, and the correlation of the mouth's opening."""
        self.log_losses("val", mean_losses(batch, self._validation), len(batch["lips"]))

    def _validation(self, batch: MotionSequenceBatch) -> dict[str, Tensor]:
        points, lips = self.predict(batch), batch["lips"]
        predicted = self._lips(points)
        values = self._losses(points, self._target(batch)) | {
            "reference_l1": F.l1_loss(batch["reference_lips"][:, None].expand_as(lips), lips),
            "opening_correlation": _opening_correlation(predicted, lips),
        }
        # Of a whole face, also the lips alone, which the reference's distance belongs to.
        return values if self.speech_features is not None else values | {"lip_l1": F.l1_loss(predicted, lips)}

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
        for network in self.networks().values():
            network.mark_trained()

    def configure_optimizers(self) -> Any:
        """Adam, and the schedule."""
        groups = decay_groups([*self.networks().values()], self.learning_rate, weight_decay=0.0)
        optimizer = adam(groups, self.trainer)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _silenced(self, batch: MotionSequenceBatch) -> MotionSequenceBatch:
        """The batch with silences and closed lips in some of its rows."""
        if self.silence == 0:
            return batch
        rows, frames = batch["lips"].shape[:2]
        silence = Silence.sample(rows, frames, self.silence, self.device)
        changed = {"lips": silence.lips(batch["lips"]), "waveform": silence.waveform(batch["waveform"])}
        if "face" in batch:
            changed["face"] = silence.closed(batch["face"], batch["lips"])
        if "features" in batch:
            changed["features"] = silence.features(batch["features"], self._features_of_silence(batch))
        return cast(MotionSequenceBatch, {**batch, **changed})

    @torch.no_grad()
    def _features_of_silence(self, batch: MotionSequenceBatch) -> Tensor:
        """Features of silence, (2 T, C), computed once: stored features come from a network that does not change."""
        assert self.speech_features is not None
        if self._silent_features is None or len(self._silent_features) != batch["features"].shape[1]:
            frames = batch["lips"].shape[1]
            self._silent_features = self.speech_features(torch.zeros_like(batch["waveform"][:1]), frames)[0]
        return self._silent_features

    def _target(self, batch: MotionSequenceBatch) -> Tensor:
        """The points (B, T, P, D) that the network learns: the whole face, or the lips."""
        return batch["face"] if isinstance(self.lip_landmarks, AudioToMesh) else batch["lips"]

    def _lips(self, points: Tensor) -> Tensor:
        return lips_of(points) if isinstance(self.lip_landmarks, AudioToMesh) else points

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


def _checked_network(speech_features: Network | None, lip_landmarks: Network) -> LipLandmarks | AudioToMesh:
    """Return the network of the lips, after a check that speech features are given to the one that reads them.

    Raises:
        ValueError: It is another network, or has features too many or too few.
    """
    if isinstance(lip_landmarks, LipLandmarks) and speech_features is not None:
        return lip_landmarks
    if isinstance(lip_landmarks, AudioToMesh) and speech_features is None:
        return lip_landmarks
    given = "null" if speech_features is None else type(speech_features).__name__
    raise ValueError(
        f"lip_landmarks is a {type(lip_landmarks).__name__} with speech_features {given}, expected an AudioToMesh, "
        "whose speech network is its own, with null, or a LipLandmarks with speech features"
    )


def _rendered(lips: Tensor) -> Tensor:
    """Canonical lips (T, 20, D) as enlarged pictures (T, 3, side, side) in [-1, 1], seen from the front."""
    centred = lips[..., :2].float()
    centred = centred - centred.mean(dim=(0, 1))
    return 2 * render_lips(1.5 * centred, RENDERED_SIDE) - 1


def _opening_correlation(lips: Tensor, reference: Tensor) -> Tensor:
    """Correlation over time of the mouths' openings, mean over the clips; a mouth that stands still counts as 0."""
    # A training that diverges is stopped by its loss.
    if not (lips.isfinite().all() and reference.isfinite().all()):
        return torch.tensor(torch.nan)
    openings = zip(*(mouth_opening(one).detach().float().cpu() for one in (lips, reference)), strict=True)
    return torch.tensor([pearson(one.numpy(), other.numpy()) for one, other in openings]).nan_to_num().mean()
