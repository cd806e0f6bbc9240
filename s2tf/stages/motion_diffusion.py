"""Motion diffusion: motion codes from speech (Eq. 20)."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from s2tf.batches import Clip, MotionSequenceBatch
from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.diffusion.row_noise import Generators, generators_of
from s2tf.diffusion.samplers import Sampler
from s2tf.errors import require_at_least_one
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.models.motion_statistics import MotionStatistics
from s2tf.models.motion_unet import MotionUNet
from s2tf.nn.network import Network
from s2tf.previews import Samples, SampleVideo
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import adam, decay_groups, total_steps, warmup_cosine
from s2tf.stages.padding import mean_losses, without_padding
from s2tf.stages.rendering import beside_truth, source_of
from s2tf.stages.speech_features import check_stored_features, checked_features, features_of, restorable

VALIDATION_SEED = 0
VALIDATION_DRAWS = 4
SAMPLE_STEPS = 20


class MotionDiffusionStage(Stage):
    """Trains the denoiser, and speech features if they are trainable, on the codes of real motion.

    The statistics of the codes are computed from the training data before the first step, unless they are given.
    """

    ema_networks = ("speech_features", "diffusion")

    def __init__(
        self,
        speech_features: Network,
        diffusion: MotionDiffusion,
        learning_rate: float = 2e-4,
        warmup_steps: int = 0,
        draws: int = 1,
        speech_dropout: float = 0.0,
        start_dropout: float = 0.5,
        statistics_batches: int = 200,
    ) -> None:
        """Build the stage.

        Args:
            speech_features: waveform to features at 50 Hz, a `SpeechFeatures`.
            diffusion: denoiser and statistics of the codes.
            learning_rate: rate of Adam; the paper's 2e-4.
            warmup_steps: steps over which the rate rises from zero; then it follows a cosine to zero at max_steps.
            draws: (t, ε) pairs per sample and step, so that the computed features are used more than once.
            speech_dropout: probability of hiding the speech, for classifier-free guidance; 0 trains without.
            start_dropout: probability of hiding the start code.
            statistics_batches: greatest number of training batches for the statistics.

        Raises:
            ValueError: a number is out of its range, or the parts do not fit each other.
        """
        super().__init__()
        _check_numbers(draws, speech_dropout, start_dropout, statistics_batches)
        unet = cast(MotionUNet, diffusion.unet)
        self.speech_features = checked_features(speech_features, unet.feature_dim, "diffusion.unet")
        self.diffusion = diffusion
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps
        self.draws, self.speech_dropout, self.start_dropout = draws, speech_dropout, start_dropout
        self.statistics_batches = statistics_batches
        # A tuple keeps it out of the stage's own networks: it only renders previews.
        self.renderers: tuple[MotionAutoencoder, ...] = ()
        self.frozen = restorable(self.speech_features)

    def networks(self) -> dict[str, Network]:
        """`speech_features` and `motion_diffusion`."""
        return {"speech_features": self.speech_features, "motion_diffusion": self.diffusion}

    def setup(self, stage: str) -> None:
        """Check that stored features come from this network."""
        check_stored_features(self.trainer, self.speech_features)

    def losses(
        self,
        batch: MotionSequenceBatch,
        draws: int,
        speech_dropout: float,
        generator: Generators = None,
    ) -> dict[str, Tensor]:
        """The denoising loss (Eq. 20) as `loss`."""
        codes = _codes(batch)
        features = features_of(batch, self.speech_features, codes.shape[1])
        loss = self.diffusion.loss(codes, features, draws, speech_dropout, self.start_dropout, generator)
        return {"loss": loss}

    def on_fit_start(self) -> None:
        """Record that trained features are no longer random; also called where a finished run is only exported."""
        self.speech_features.mark_trained()

    def on_train_start(self) -> None:
        """Compute the statistics of the codes."""
        statistics = cast(MotionStatistics, self.diffusion.statistics)
        if not statistics.fitted:
            batches = itertools.islice(self._other_batches(), self.statistics_batches)
            parts = (part for batch in batches for part, _ in without_padding(batch))
            moments = sum(statistics.moments(_codes(part)) for part in parts)
            if not isinstance(moments, Tensor):
                raise ValueError("the training data is empty: there are no motion codes to compute statistics from")
            # Every process has read its own part.
            statistics.set_moments(self.trainer.strategy.reduce(moments.to(self.device), reduce_op="sum"))

    def _other_batches(self) -> Iterable[Any]:
        """Return training batches from a separate loader: the trainer's own loader would lose its first batches."""
        data = getattr(self.trainer, "datamodule", None)
        return cast(Any, self.trainer.train_dataloader) if data is None else data.train_dataloader()

    def training_step(self, batch: MotionSequenceBatch, batch_idx: int) -> Tensor:
        """One step on a batch of sequences."""
        losses = mean_losses(batch, lambda part: self.losses(part, self.draws, self.speech_dropout))
        self.log_losses("train", losses, len(batch["waveform"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: MotionSequenceBatch, batch_idx: int) -> None:
        """Log the loss at each clip's own noise, the same every time."""

        def losses_of(part: MotionSequenceBatch) -> dict[str, Tensor]:
            return self.losses(part, VALIDATION_DRAWS, 0.0, generators_of(part["key"], VALIDATION_SEED, self.device))

        losses = mean_losses(batch, losses_of)
        self.log_losses("val", losses, len(batch["waveform"]))

    def samples(self, batch: MotionSequenceBatch, clips: Sequence[Clip]) -> Samples:
        """Show reference and generated motion codes over time; the generated codes begin at the first reference code.

        If `renderers` holds an autoencoder, also show clips generated from their speech and first frames.
        """
        codes = _codes(batch)
        generator = torch.Generator(codes.device).manual_seed(VALIDATION_SEED)
        features = features_of(batch, self.speech_features, codes.shape[1])
        generated = self.diffusion.sample(features, SAMPLE_STEPS, "ddim", generator, codes[:, 0])
        videos = [self._driven(clip, autoencoder) for autoencoder in self.renderers for clip in clips]
        maps = {"codes/true": codes.transpose(1, 2), "codes/generated": generated.transpose(1, 2)}
        return Samples(batch["key"], maps=maps, videos=videos, waveforms=batch["waveform"])

    def _driven(self, clip: Clip, autoencoder: MotionAutoencoder) -> SampleVideo:
        generator = torch.Generator(self.device).manual_seed(VALIDATION_SEED)
        features = self.speech_features(clip["waveform"][None], len(clip["frames"]))
        start = autoencoder.source_motion(source_of(clip, autoencoder))
        codes = self.diffusion.sample(features, SAMPLE_STEPS, "ddim", generator, start)[0]
        return beside_truth(clip, autoencoder, codes, "driven")

    @torch.no_grad()
    def generate(
        self,
        waveform: Tensor,
        frames: int,
        steps: int = 50,
        generator: torch.Generator | None = None,
        start: Tensor | None = None,
        kind: Sampler = "ddim",
        guidance: float = 1.0,
    ) -> Tensor:
        """Sample motion for whole speech.

        Args:
            waveform: shape (B, S), 16 kHz mono.
            frames: number of frames T of the speech.
            steps: denoiser calls.
            generator: seeds the noise; the same state gives the same motion.
            start: code of the first frame, shape (B, m), or None.
            kind: the sampler.
            guidance: scale of classifier-free guidance; 1 is none.

        Returns:
            Motion codes, shape (B, T, m).
        """
        features = self.speech_features(waveform, frames)
        return self.diffusion.sample(features, steps, kind, generator, start, guidance)

    def configure_optimizers(self) -> Any:
        """Adam, and the schedule."""
        groups = decay_groups([self.speech_features, self.diffusion], self.learning_rate, weight_decay=0.0)
        optimizer = adam(groups, self.trainer)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _codes(batch: MotionSequenceBatch) -> Tensor:
    if "motion" not in batch:
        raise ValueError("the shards hold no motion codes (motion.npy): write them first with `s2tf codes`")
    return batch["motion"]


def _check_numbers(draws: int, speech_dropout: float, start_dropout: float, statistics_batches: int) -> None:
    require_at_least_one(draws=draws, statistics_batches=statistics_batches)
    for name, share in (("speech_dropout", speech_dropout), ("start_dropout", start_dropout)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share}, expected 0 to 1")
