"""SCFP: portrait diffusion conditioned on speech, with the statistical face prior as guidance (Eq. 1–9)."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from s2tf.batches import Clip, SpeechPortraitBatch
from s2tf.diffusion.objective import sample_noise
from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.diffusion.row_noise import Generators, generators_of
from s2tf.diffusion.samplers import Sampler
from s2tf.errors import require_at_least_one
from s2tf.losses.reconstruction import mean_absolute_error
from s2tf.nn.network import Network
from s2tf.previews import Samples
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import adam, decay_groups, total_steps, warmup_cosine
from s2tf.stages.speech_portrait_batch import spectrogram_map, speech_of

VALIDATION_SEED = 0
VALIDATION_STEPS = 20


class SCFPStage(Stage):
    """Trains the denoiser and the prior's weighting on the latents of frozen encoders (section III-A.2)."""

    ema_networks = ("speech_encoder", "diffusion")

    def __init__(
        self,
        speech_encoder: Network,
        face_encoder: Network,
        face_decoder: Network,
        diffusion: PortraitDiffusion,
        learning_rate: float = 2e-5,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        draws: int = 1,
        speech_dropout: float = 0.0,
        train_speech_encoder: bool = False,
        speech_learning_rate: float = 1e-3,
        compile: bool = False,
    ) -> None:
        """Build the stage.

        Args:
            speech_encoder: E_s of ConRe, frozen, or a new one that is trained.
            face_encoder: E_f of ConRe, frozen.
            face_decoder: D_f of ConRe, frozen.
            diffusion: denoiser, prior, weighting of the prior, and the reading of its injection.
            learning_rate: rate of the denoiser and the weighting; the paper's 2e-5.
            weight_decay: decoupled decay of matrices and convolutions only.
            warmup_steps: steps over which the rate rises from zero; then it follows a cosine to zero at max_steps.
            draws: (t, ε) pairs per sample and step, so that the encoders' outputs are used more than once.
            speech_dropout: probability of hiding the speech, for classifier-free guidance; 0 trains without.
            train_speech_encoder: train E_s along with the denoiser, for an E_s that ConRe has not trained (Table III's
                baseline).
            speech_learning_rate: rate of E_s if it is trained; ConRe's 1e-3.
            compile: compile the denoiser by `torch.compile` in place, which leaves checkpoints as they are.

        Raises:
            ValueError: `draws` is below 1 or `speech_dropout` not in [0, 1).
        """
        super().__init__()
        require_at_least_one(draws=draws)
        if not 0 <= speech_dropout < 1:
            raise ValueError(f"speech_dropout is {speech_dropout}, expected at least 0 and less than 1")
        self.speech_encoder, self.face_encoder, self.face_decoder = speech_encoder, face_encoder, face_decoder
        self.diffusion = diffusion
        self.learning_rate, self.weight_decay, self.warmup_steps = learning_rate, weight_decay, warmup_steps
        self.draws, self.speech_dropout = draws, speech_dropout
        self.train_speech_encoder, self.speech_learning_rate = train_speech_encoder, speech_learning_rate
        self.frozen = ("face_encoder", "face_decoder", *(() if train_speech_encoder else ("speech_encoder",)))
        self.freeze_parts()
        if compile:
            cast(torch.nn.Module, diffusion.unet).compile()

    def networks(self) -> dict[str, Network]:
        """The networks that a portrait needs: `speech_encoder`, `portrait_diffusion` and `face_decoder`."""
        return {
            "speech_encoder": self.speech_encoder,
            "portrait_diffusion": self.diffusion,
            "face_decoder": self.face_decoder,
        }

    def losses(
        self, batch: SpeechPortraitBatch, draws: int, speech_dropout: float, generator: Generators = None
    ) -> dict[str, Tensor]:
        """The denoising loss (Eq. 7) as `loss`."""
        with torch.no_grad():
            z_f = self.face_encoder(batch["portrait"])
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_speech_encoder):
            z_s = self.speech_encoder(speech_of(batch, self.speech_encoder))
        return {"loss": self.diffusion.loss(z_f, z_s, draws, speech_dropout, generator)}

    def on_fit_start(self) -> None:
        """Record that a trained speech encoder is not random; also called where a finished run is only exported."""
        if self.train_speech_encoder:
            self.speech_encoder.mark_trained()

    def training_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> Tensor:
        """One step on a batch of pairs."""
        losses = self.losses(batch, self.draws, self.speech_dropout)
        self.log_losses("train", losses, len(batch["portrait"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> None:
        """Log the loss at each clip's own noise, and the distances of portraits and mean face to the reference face."""
        speech, portrait = speech_of(batch, self.speech_encoder), batch["portrait"]
        generators = generators_of(batch["key"], VALIDATION_SEED, self.device)
        values = self.losses(batch, self.draws, 0.0, generators)
        latents = portrait.new_empty(len(portrait), *self.diffusion.latent_shape)
        picture = self.sample(speech, VALIDATION_STEPS, noise=sample_noise(latents, generators))
        mean_face = self._mean_face().expand_as(portrait)
        values |= {
            "portrait_l1": mean_absolute_error(picture, portrait),
            "mean_face_l1": mean_absolute_error(mean_face, portrait),
        }
        self.log_losses("val", values, len(portrait))

    def samples(self, batch: SpeechPortraitBatch, clips: Sequence[Clip]) -> Samples:
        """Show reference portraits, their reconstructions, portraits generated from the speech, and the mean face."""
        portrait, speech = batch["portrait"], speech_of(batch, self.speech_encoder)
        generator = torch.Generator(speech.device).manual_seed(VALIDATION_SEED)
        images = {
            "true": portrait,
            "reconstructed": self.face_decoder(self.face_encoder(portrait)),
            "generated": self.sample(speech, VALIDATION_STEPS, generator),
            "mean_face": self._mean_face().expand_as(portrait),
        }
        return Samples(batch["key"], images, {"spectrogram": spectrogram_map(batch)}, waveforms=batch["waveform"])

    def _mean_face(self) -> Tensor:
        """The decoded prior, (1, 3, H, W)."""
        return self.face_decoder(self.diffusion.prior.get_buffer("z_p")[None])

    @torch.no_grad()
    def sample(
        self,
        speech: Tensor,
        steps: int = 50,
        generator: torch.Generator | None = None,
        kind: Sampler = "ddim",
        guidance: float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Generate a portrait for each speech.

        Args:
            speech: the form that the speech encoder reads, spectrogram (B, 2, T, F) or waveform (B, S).
            steps: denoiser calls.
            generator: seeds the noise; the same state gives the same portraits.
            kind: the sampler.
            guidance: scale of classifier-free guidance; 1 is none.
            noise: the initial noise, shape (B, c, h, w); sampled by `generator` if None.

        Returns:
            Portraits, shape (B, 3, H, W), RGB in about [-1, 1].
        """
        z_s = self.speech_encoder(speech)
        return self.face_decoder(self.diffusion.sample(z_s, steps, kind, generator, guidance, noise=noise))

    def configure_optimizers(self) -> Any:
        """AdamW on the diffusion and on E_s where it is trained, and the schedule."""
        groups = decay_groups([self.diffusion], self.learning_rate, self.weight_decay)
        if self.train_speech_encoder:
            groups += decay_groups([self.speech_encoder], self.speech_learning_rate, self.weight_decay)
        optimizer = adam(groups, self.trainer, decoupled=True)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
