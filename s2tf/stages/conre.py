"""ConRe: contrastive and reconstruction pre-training of speech encoder, face encoder and face decoder (Eq. 10)."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.batches import Clip, SpeechPortraitBatch
from s2tf.losses.contrastive import ContrastiveLoss
from s2tf.losses.perceptual import PerceptualLoss
from s2tf.losses.reconstruction import mean_absolute_error
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import FaceEncoder
from s2tf.nn.network import Network
from s2tf.samples import Samples
from s2tf.stages.base import Stage
from s2tf.stages.optimisation import decay_groups, total_steps, warmup_cosine
from s2tf.stages.speech import spectrogram_map, speech_of


class ConReStage(Stage):
    """Aligns z_s = E_s(speech) with z_f = E_f(face) and makes D_f(z_f) look like the face: L_c + L_r."""

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
    ) -> None:
        """Build the stage.

        Args:
            speech_encoder: E_s, spectrogram (B, 2, T, F), or the waveform (B, S), to (B, d).
            face_encoder: E_f, portrait (B, 3, H, W) to (B, d).
            face_decoder: D_f, (B, d) to portrait.
            contrastive: L_c.
            perceptual: the LPIPS part of L_r.
            speech_learning_rate: of E_s; the paper's 1e-3.
            face_learning_rate: of E_f, D_f and the temperature; the paper's 1e-4.
            weight_decay: decoupled, on matrices and convolutions only.
            warmup_steps: steps over which the rates rise from zero; then they follow a cosine to zero at max_steps.
            contrastive_weight: factor on L_c.
            l1_weight: factor on the mean absolute error.
            lpips_weight: factor on LPIPS; at 0 it is not computed.
        """
        super().__init__()
        self.speech_encoder, self.face_encoder, self.face_decoder = speech_encoder, face_encoder, face_decoder
        self.contrastive, self.perceptual = contrastive, perceptual
        self.speech_learning_rate, self.face_learning_rate = speech_learning_rate, face_learning_rate
        self.weight_decay, self.warmup_steps = weight_decay, warmup_steps
        self.weights = {"contrastive": contrastive_weight, "l1": l1_weight, "lpips": lpips_weight}
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
        return self._losses(batch, z_s, self.face_encoder(batch["portrait"]))

    def training_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> Tensor:
        """One step on a batch of pairs."""
        losses = self.losses(batch)
        self.log_losses("train", losses, len(batch["portrait"]))
        return self.checked(losses, cast(Any, batch))

    def validation_step(self, batch: SpeechPortraitBatch, batch_idx: int) -> None:
        """Log the losses, and how often a speech finds its speaker's face among the batch's (R@1, R@5)."""
        z_s = self.speech_encoder(speech_of(batch, self.speech_encoder))
        z_f = self.face_encoder(batch["portrait"])
        values = self._losses(batch, z_s, z_f)
        values |= {f"recall_at_{k}": recall(z_s, z_f, batch["identity"], k) for k in (1, 5)}
        self.log_losses("val", values, len(z_s))

    def samples(self, batch: SpeechPortraitBatch, clips: Sequence[Clip]) -> Samples:
        """True portraits, those decoded from the face's embedding, and from the speech's, which L_c brings near it."""
        z_s = self.speech_encoder(speech_of(batch, self.speech_encoder))
        images = {
            "true": batch["portrait"],
            "reconstructed": self.face_decoder(self.face_encoder(batch["portrait"])),
            "from_speech": self.face_decoder(z_s),
        }
        return Samples(batch["key"], images, {"spectrogram": spectrogram_map(batch)}, waveforms=batch["waveform"])

    def on_train_start(self) -> None:
        """Record that the encoders' weights are being trained."""
        self.face_encoder.mark_trained()
        self.speech_encoder.mark_trained()

    def configure_optimizers(self) -> Any:
        """AdamW with a group each for speech and face, and the schedule."""
        face = [self.face_encoder, self.face_decoder, self.contrastive]
        groups = [
            *decay_groups([self.speech_encoder], self.speech_learning_rate, self.weight_decay),
            *decay_groups(face, self.face_learning_rate, self.weight_decay),
        ]
        optimizer = torch.optim.AdamW(groups)
        schedule = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _losses(self, batch: SpeechPortraitBatch, z_s: Tensor, z_f: Tensor) -> dict[str, Tensor]:
        picture = self.face_decoder(z_f)
        terms = {
            "contrastive": self.contrastive(z_s, z_f, batch["identity"]),
            "l1": mean_absolute_error(picture, batch["portrait"]),
        }
        if self.weights["lpips"] > 0:
            terms["lpips"] = self.perceptual(picture, batch["portrait"])
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return {**terms, "loss": total}


@torch.no_grad()
def recall(z_s: Tensor, z_f: Tensor, identity: Tensor, k: int) -> Tensor:
    """How often one of the `k` faces nearest to a speech by cosine is of its speaker.

    Args:
        z_s: speech embeddings, shape (B, d).
        z_f: face embeddings, shape (B, d).
        identity: of both, shape (B,).
        k: at most B are looked at.

    Returns:
        A share from 0 to 1, a scalar.
    """
    similarity = F.normalize(z_s.float(), dim=1) @ F.normalize(z_f.float(), dim=1).T
    nearest = similarity.topk(min(k, len(z_f)), dim=1).indices
    return (identity[nearest] == identity[:, None]).any(dim=1).float().mean()
