"""ConRe: contrastive and reconstruction pre-training of speech encoder, face encoder and face decoder (Eq. 10)."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from s2tf.batches import Clip, SpeechPortraitBatch
from s2tf.losses.adversarial import patch_terms
from s2tf.losses.contrastive import ContrastiveLoss
from s2tf.losses.perceptual import PerceptualLoss
from s2tf.losses.reconstruction import mean_absolute_error
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.patch_discriminator import PatchDiscriminator
from s2tf.nn.network import Network
from s2tf.previews import Samples
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import adam, decay_groups, total_steps, warmup_cosine
from s2tf.stages.pairs import ROWS_AT_ONCE, Pairs, recall
from s2tf.stages.speech_portrait_batch import spectrogram_map, speech_of

ADVERSARIAL_BETAS = (0.0, 0.99)
"""Adam's coefficients for a discriminator, as in StyleGAN."""


class ConReStage(Stage):
    """Aligns z_s = E_s(speech) with z_f = E_f(face), and trains D_f to reconstruct the face from z_f: L_c + L_r.

    Two additions are not in the paper, and off by default. A discriminator of patches judges the decoded faces late in
    the training: L1 alone gives a blur where LPIPS has no trained backbone. And D_f may read z_f with noise: latents
    that diffusion samples are never exact, and a decoder that has seen only exact ones answers them with noise.
    """

    frozen = ("perceptual",)

    def __init__(
        self,
        speech_encoder: Network,
        face_encoder: FaceEncoder,
        face_decoder: FaceDecoder,
        contrastive: ContrastiveLoss,
        perceptual: PerceptualLoss,
        speech_learning_rate: float = 1e-3,
        face_learning_rate: float = 1e-4,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        contrastive_weight: float = 1.0,
        l1_weight: float = 1.0,
        lpips_weight: float = 1.0,
        latent_noise: float = 0.0,
        discriminator: PatchDiscriminator | None = None,
        adversarial_weight: float = 0.0,
        features_weight: float = 0.0,
        r1_weight: float = 0.0,
        adversarial_start: int = 0,
        discriminator_learning_rate: float = 1e-3,
    ) -> None:
        """Build the stage.

        Args:
            speech_encoder: E_s, spectrogram (B, 2, T, F), or the waveform (B, S), to (B, d).
            face_encoder: E_f, portrait (B, 3, H, W) to (B, d).
            face_decoder: D_f, (B, d) to portrait.
            contrastive: L_c.
            perceptual: the LPIPS part of L_r.
            speech_learning_rate: rate of E_s; the paper's 1e-3.
            face_learning_rate: rate of E_f, D_f and the temperature; the paper's 1e-4.
            weight_decay: decoupled decay of matrices and convolutions only.
            warmup_steps: steps over which the rates rise from zero; then they follow a cosine to zero at max_steps.
            contrastive_weight: factor on L_c.
            l1_weight: factor on the mean absolute error.
            lpips_weight: factor on LPIPS; at 0 it is not computed.
            latent_noise: Gaussian noise on the z_f that D_f reads in training, in standard deviations of each
                dimension over the batch; 0 for none.
            discriminator: D, which judges the patches of decoded portraits; None trains without.
            adversarial_weight: factor on -log D(decoded face).
            features_weight: factor on the distance of decoded and true faces in D's maps.
            r1_weight: factor on D's gradient penalty.
            adversarial_start: optimizer step from which the terms of D count.
            discriminator_learning_rate: rate of D.

        Raises:
            ValueError: there is a discriminator without a weight, or a weight without a discriminator.
        """
        super().__init__()
        if (discriminator is None) != (adversarial_weight == features_weight == 0):
            raise ValueError(
                f"discriminator is {type(discriminator).__name__}, adversarial_weight {adversarial_weight}, "
                f"features_weight {features_weight}: expected a discriminator and a weight above 0, or none of them"
            )
        self.speech_encoder, self.face_encoder, self.face_decoder = speech_encoder, face_encoder, face_decoder
        self.contrastive, self.perceptual = contrastive, perceptual
        self.speech_learning_rate, self.face_learning_rate = speech_learning_rate, face_learning_rate
        self.weight_decay, self.warmup_steps = weight_decay, warmup_steps
        self.latent_noise, self.discriminator = latent_noise, discriminator
        self.adversarial_start = adversarial_start
        self.discriminator_learning_rate = discriminator_learning_rate
        self.weights = {
            "contrastive": contrastive_weight,
            "l1": l1_weight,
            "lpips": lpips_weight,
            "adversarial": adversarial_weight,
            "features": features_weight,
            "discriminator": 1.0,
            "r1": r1_weight,
        }
        self.picture_terms = ("l1", "lpips") if lpips_weight > 0 else ("l1",)
        self.pairs = Pairs()
        self.freeze_parts()

    def networks(self) -> dict[str, Network]:
        """The three networks under `speech_encoder`, `face_encoder` and `face_decoder`."""
        return {
            "speech_encoder": self.speech_encoder,
            "face_encoder": self.face_encoder,
            "face_decoder": self.face_decoder,
        }

    def losses(self, batch: SpeechPortraitBatch) -> dict[str, Tensor]:
        """The named terms and their weighted sum `loss`; all scalars."""
        z_s = self.speech_encoder(speech_of(batch, self.speech_encoder))
        z_f = self.face_encoder(batch["portrait"])
        picture = self.face_decoder(self._noisy(z_f))
        terms = {"contrastive": self.contrastive(z_s, z_f, batch["identity"])}
        terms |= self._pictures(batch["portrait"], picture)
        if self.discriminator is not None:
            terms |= self._adversarial(self.discriminator, picture, batch["portrait"])
        return {**terms, "loss": self._total(terms)}

    def training_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> Tensor:
        """One step on a batch of pairs."""
        losses = self.losses(batch)
        self.log_losses("train", losses, len(batch["portrait"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> None:
        """Log the losses of the pictures, and collect the embeddings."""
        z_f = self.face_encoder(batch["portrait"])
        self.log_losses("val", self._pictures(batch["portrait"], self.face_decoder(z_f)), len(z_f))
        self.pairs.update(self.speech_encoder(speech_of(batch, self.speech_encoder)), z_f, batch["identity"])

    def on_validation_epoch_end(self) -> None:
        """Log the contrastive loss, the whole loss, and the share of faces found by their speech (R@1, R@5)."""
        z_s, z_f, identity = self.pairs.compute()
        self.pairs.reset()
        loss = self.contrastive.over_all(z_s, z_f, identity, ROWS_AT_ONCE)
        total = self._total(
            {"contrastive": loss} | {name: self.mean_so_far("val", name) for name in self.picture_terms}
        )
        recalls = {f"recall_at_{k}": recall(z_s, z_f, identity, k) for k in (1, 5)}
        self.log_values("val", {"contrastive": loss, "loss": total, **recalls})

    def samples(self, batch: SpeechPortraitBatch, clips: Sequence[Clip]) -> Samples:
        """Show reference portraits, and portraits decoded from the embeddings of face and speech."""
        z_s = self.speech_encoder(speech_of(batch, self.speech_encoder))
        images = {
            "true": batch["portrait"],
            "reconstructed": self.face_decoder(self.face_encoder(batch["portrait"])),
            "from_speech": self.face_decoder(z_s),
        }
        return Samples(batch["key"], images, {"spectrogram": spectrogram_map(batch)}, waveforms=batch["waveform"])

    def on_fit_start(self) -> None:
        """Record that the encoders are trained; also called when a finished run is only exported."""
        self.face_encoder.mark_trained()
        self.speech_encoder.mark_trained()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clear the gradients of a discriminator that does not judge yet, so that Adam skips it."""
        if self.discriminator is not None and not self._judged:
            for parameter in self.discriminator.parameters():
                parameter.grad = None

    @property
    def _judged(self) -> bool:
        return self.discriminator is not None and self.global_step >= self.adversarial_start

    def configure_optimizers(self) -> Any:
        """AdamW with a group each for speech, face and discriminator, and the schedule."""
        face = [self.face_encoder, self.face_decoder, self.contrastive]
        groups = [
            *decay_groups([self.speech_encoder], self.speech_learning_rate, self.weight_decay),
            *decay_groups(face, self.face_learning_rate, self.weight_decay),
        ]
        if self.discriminator is not None:
            rate = self.discriminator_learning_rate
            groups += [{**group, "betas": ADVERSARIAL_BETAS} for group in decay_groups([self.discriminator], rate, 0.0)]
        optimizer = adam(groups, self.trainer, decoupled=True)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _noisy(self, z_f: Tensor) -> Tensor:
        if self.latent_noise == 0:
            return z_f
        return z_f + self.latent_noise * z_f.detach().std(dim=0, unbiased=False) * torch.randn_like(z_f)

    def _pictures(self, reference: Tensor, picture: Tensor) -> dict[str, Tensor]:
        terms = {"l1": mean_absolute_error(picture, reference)}
        if "lpips" in self.picture_terms:
            terms["lpips"] = self.perceptual(picture, reference)
        return terms

    def _adversarial(self, discriminator: PatchDiscriminator, picture: Tensor, reference: Tensor) -> dict[str, Tensor]:
        if self._judged:
            return patch_terms(discriminator, picture, reference, penalty=self.weights["r1"] > 0)
        # `ddp` needs a gradient for every parameter.
        return {"discriminator": torch.stack([parameter.sum() * 0 for parameter in discriminator.parameters()]).sum()}

    def _total(self, terms: dict[str, Tensor]) -> Tensor:
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
