"""Motion autoencoder training (Eq. 14-19): reconstruct one frame of a clip from another frame."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor

from s2tf.batches import Clip, FramePairBatch
from s2tf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from s2tf.losses.motion_autoencoder import LossWeights, ReferenceFrames, generator_terms
from s2tf.losses.vgg import VGGPyramid
from s2tf.metrics.code_use import CodeUse
from s2tf.metrics.image import FrameQuality
from s2tf.models.discriminator import Discriminator
from s2tf.models.motion_autoencoder import MotionAutoencoder, Rendering
from s2tf.models.motion_reader import FaceState
from s2tf.nn.network import Network
from s2tf.previews import Samples
from s2tf.stages.base import Stage
from s2tf.stages.codes import CodebookRates, CodeCourse, latents_themselves
from s2tf.stages.lip_noise import noisy_lips, placement_deviations
from s2tf.stages.optimisation import adam, by_kind_of_layer, total_steps, warmup_cosine
from s2tf.stages.rendering import beside_truth, codes_of

GENERATOR_RATIO, DISCRIMINATOR_RATIO = 4 / 5, 16 / 17
"""LIA's factors on the rate and on Adam's moments, inherited from StyleGAN2's lazy regularisation."""
SECOND_MOMENT = 0.99
COMPARED = 1 / 4
"""Share of a batch that is also decoded without the lip refiner: enough to bound the refiner's reach, and cheap."""
CODE_TERMS = ("codebook", "commitment")

LOGGED = {"motion_reader": "reading", "outside_mouth": "elsewhere"}
"""Loss term -> its name in the log, which is the name in earlier runs, so that a resumed run continues its curve."""


class MotionAutoencoderStage(Stage):
    """Trains the motion autoencoder against a discriminator, both by one optimizer.

    The generator's loss calls the discriminator with detached parameters and the discriminator's loss takes detached
    pictures, so that one backward pass gives each its own gradient. Gradient clipping, accumulation, plain `ddp` and
    `max_steps` then work as in any other stage.
    """

    frozen: tuple[str, ...] = ("vgg",)
    ema_networks = ("autoencoder",)
    best = ("val/psnr", "max")

    def __init__(
        self,
        autoencoder: MotionAutoencoder,
        discriminator: Discriminator | None = None,
        vgg: VGGPyramid | None = None,
        weights: LossWeights | None = None,
        learning_rate: float = 0.002,
        ordinary_learning_rate: float = 1e-4,
        momentum: float = 0.0,
        schedule: Literal["constant", "cosine"] = "constant",
        warmup_steps: int = 0,
        beta: float = 0.25,
        adversarial_start: int = 0,
        alternate: bool = False,
        restart_codes_every: int = 0,
        placement_noise: float | list[float] = 0.0,
        lip_noise: float = 0.0,
        trained: Sequence[str] | None = None,
        discriminator_learning_rate: float | None = None,
        code_learning_rate: float | None = None,
        codes_alone: float | None = None,
        quantise_from: int = 0,
        codebook_learning_rate: float | None = None,
        code_encoder_learning_rate: float | None = None,
    ) -> None:
        """Build the stage.

        Args:
            autoencoder: the network to train and to save.
            discriminator: D, at the autoencoder's output size; None trains without the adversarial term, whatever its
                weight.
            vgg: the perceptual loss; None trains without it, whatever its weight.
            weights: factors on the terms.
            learning_rate: rate of Adam for the equalised networks; the paper's 0.002, times LIA's 4/5, for D 16/17.
            ordinary_learning_rate: rate for layers that are not equalised: lip refiner, mouth reader and the codebook's
                HD_f; the paper's 1e-4.
            momentum: Adam's first-moment decay; LIA's 0.
            schedule: course of the rate: constant as in the paper, or a cosine to zero at max_steps.
            warmup_steps: steps over which the rate rises from near zero, with the cosine.
            beta: weight of the commitment term, Eq. 19.
            adversarial_start: optimizer step from which the adversarial terms count.
            alternate: generator and discriminator move in turns from then on.
            restart_codes_every: steps between two moves of dead codes to current latents, or 0 for never.
            placement_noise: standard deviation of the noise that is added in training to the guider's reference
                placement, for it to know predicted ones; one number, or one for each value.
            lip_noise: standard deviation of the noise that is added in training to the reference lips for the guider,
                which prepares it for lips from audio2lmk; in outer-eye distances (`s2tf.stages.lip_noise`).
            trained: names of the autoencoder's parts to train, such as `codebook`, or None for all.
            discriminator_learning_rate: rate of the discriminator, times LIA's 16/17; None for `learning_rate`.
            code_learning_rate: rate of the codes; None for HD_f's.
            codes_alone: share of the rows of a batch whose picture the codes must carry alone, at fidelity 0 (Eq. 18 as
                printed); the others get a random fidelity between 0 and 1. None trains all at the codebook's own.
            quantise_from: step from which codes, placed among the latents then, take these latents' place.
            codebook_learning_rate: rate of the codebook's HD_f; None for `ordinary_learning_rate`.
            code_encoder_learning_rate: rate from latents to codes in HD_f; None for HD_f's. From scratch, a low
                one keeps what is quantised as simple as the codes are few.

        Raises:
            ValueError: `trained` names a part that the autoencoder does not have, or `codes_alone` is no share.
        """
        super().__init__()
        self.autoencoder, self.discriminator, self.vgg = autoencoder, discriminator, vgg
        self.weights = weights or LossWeights()
        self.learning_rate, self.ordinary_learning_rate = learning_rate, ordinary_learning_rate
        self.momentum, self.schedule, self.warmup_steps = momentum, schedule, warmup_steps
        self.beta, self.adversarial_start, self.alternate = beta, adversarial_start, alternate
        self.discriminator_learning_rate = discriminator_learning_rate
        self.codebook_rates = CodebookRates(codebook_learning_rate, code_learning_rate, code_encoder_learning_rate)
        self.code_course = CodeCourse(restart_codes_every, codes_alone, quantise_from)
        self.placement_noise = placement_deviations(placement_noise, autoencoder.motion_reader.placement)
        self.lip_noise = lip_noise
        self.quality, self.copy_quality = FrameQuality(), FrameQuality()
        codebook = autoencoder.codebook
        self.code_use = None if codebook is None else CodeUse(len(codebook.quantiser.usage))
        self.frozen = ("vgg", *_untrained_parts(autoencoder, trained))
        self.freeze_parts()

    def setup(self, stage: str) -> None:
        """Check that the data's lips are of the kind that the motion reader reads.

        Raises:
            ValueError: They are in the plane and in space.
        """
        space = self.autoencoder.motion_reader.space
        data = getattr(self.trainer, "datamodule", None)
        if getattr(data, "space", space) != space:
            given, expected = (str(value).lower() for value in (not space, space))
            raise ValueError(
                f"data.init_args.space is {given}, expected {expected} as in the autoencoder: set vars.space"
            )

    def networks(self) -> dict[str, Network]:
        """The autoencoder as `motion_autoencoder`; the discriminator is only in the checkpoint."""
        return {"motion_autoencoder": self.autoencoder}

    def training_step(self, batch: FramePairBatch, batch_idx: int) -> Tensor:
        """One step of both networks on a batch of frame pairs.

        Raises:
            FloatingPointError: the loss is not finite; the message names the batch's keys.
        """
        with torch.set_grad_enabled(self._generator_moves):
            rendering = self._reconstruct(batch)
        terms: dict[str, Tensor] = {}
        if self._generator_moves:
            terms |= self._generator_terms(rendering, batch)
        if self._adversarial:
            terms |= self._adversarial_terms(rendering, batch)
        losses = {**terms, "loss": self.weights.total(terms)}
        loss = self.checked(losses, cast(Any, batch))
        self.log_losses("train", losses | self._code_statistics(rendering), len(batch["target"]))
        self._restart_codes(rendering)
        # `ddp` needs a gradient for every parameter.
        return loss + sum(parameter.sum() * 0 for parameter in self._resting())

    def log_losses(self, split: str, losses: Mapping[str, Tensor], batch_size: int) -> None:
        """Log the terms under their names in the log (`LOGGED`); see `Stage.log_losses`."""
        super().log_losses(split, {LOGGED.get(name, name): value for name, value in losses.items()}, batch_size)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clear the gradients of a network that is not trained at this step, so that Adam skips it."""
        for parameter in self._resting():
            parameter.grad = None

    def validation_step(self, batch: FramePairBatch, batch_idx: int) -> None:
        """Compare the reconstruction, with its predicted mouth, and the source copy with the reference frame."""
        rendering = self.autoencoder(batch["source"], batch["target"])
        target = batch["target_output"]
        self.quality.update(rendering.image.float(), target)
        self.copy_quality.update(batch["source_output"], target)
        terms = self._generator_terms(rendering, batch)
        self.log_losses("val", terms, len(target))
        if rendering.code is not None and self.code_use is not None:
            self.code_use.update(rendering.code.indices)

    def on_validation_epoch_end(self) -> None:
        """Log PSNR and SSIM of reconstruction and source copy, the gain in dB, and the use of the codes."""
        values = {**self.quality.compute()}
        values |= {f"{name}_copy_source": value for name, value in self.copy_quality.compute().items()}
        values["psnr_gain"] = values["psnr"] - values["psnr_copy_source"]
        self.quality.reset()
        self.copy_quality.reset()
        if self.code_use is not None and self.autoencoder.codebook is not None:
            values |= {"perplexity": self.code_use.compute(), "dead_codes": self.autoencoder.codebook.quantiser.dead}
            self.code_use.reset()
        self.log_values("val", values)

    def samples(self, batch: FramePairBatch, clips: Sequence[Clip]) -> Samples:
        """Show source, target and reconstructed target; and clips reconstructed from their first frames."""
        image = self.autoencoder(batch["source"], batch["target"]).image
        # These names are also file names in run folders, and must not change.
        images = {"source": batch["source_output"], "target": batch["target_output"], "rebuilt": image}
        codes = [codes_of(clip, self.autoencoder) for clip in clips]
        pairs = zip(clips, codes, strict=True)
        videos = [beside_truth(clip, self.autoencoder, own, "rebuilt") for clip, own in pairs]
        return Samples(batch["key"], images, videos=videos)

    def configure_optimizers(self) -> Any:
        """One Adam with a group each for the equalised layers, the ordinary ones and the discriminator."""
        # Each kind of layer has its own rate, and so may the codebook; frozen parameters are left out.
        own_rates = self.codebook_rates.groups(self.autoencoder)
        equalised, ordinary = by_kind_of_layer(self.autoencoder, [one for group, _ in own_rates for one in group])
        rate = self.learning_rate
        rates = [(equalised, rate * GENERATOR_RATIO), (ordinary, self.ordinary_learning_rate), *own_rates]
        trained = (([one for one in parameters if one.requires_grad], own) for parameters, own in rates)
        groups = [self._group(parameters, own, GENERATOR_RATIO) for parameters, own in trained if parameters]
        if self.discriminator is not None:
            parameters = list(self.discriminator.parameters())
            own = rate if self.discriminator_learning_rate is None else self.discriminator_learning_rate
            groups.append(self._group(parameters, own * DISCRIMINATOR_RATIO, DISCRIMINATOR_RATIO))
        optimizer = adam(groups, self.trainer)
        if self.schedule == "constant":
            return optimizer
        scheduler = warmup_cosine(optimizer, self.warmup_steps, total_steps(self.trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _group(self, parameters: list[torch.nn.Parameter], rate: float, ratio: float) -> dict[str, Any]:
        return {"params": parameters, "lr": rate, "betas": (self.momentum**ratio, SECOND_MOMENT**ratio)}

    def _reconstruct(self, batch: FramePairBatch) -> Rendering:
        target = batch["target_placement"]
        placement = target + self.placement_noise.to(target) * torch.randn_like(target)
        lips = batch["target_lips"] if self.lip_noise == 0 else noisy_lips(batch["target_lips"], self.lip_noise)
        compared = math.ceil(COMPARED * len(target)) if self.weights.outside_mouth > 0 else 0
        # The codes of this step: alone or with finer latents, or the latents themselves.
        fidelity = self.code_course.fidelities(len(target), target.device)
        change = None if self.code_course.is_quantised(self.global_step) else latents_themselves
        return self.autoencoder(batch["source"], batch["target"], lips, placement, compared, fidelity, change)

    def _generator_terms(self, rendering: Rendering, batch: FramePairBatch) -> dict[str, Tensor]:
        source = FaceState(batch["source_lips"], batch["source_eyes"], batch["source_placement"])
        target = FaceState(batch["target_lips"], batch["target_eyes"], batch["target_placement"])
        reference = ReferenceFrames(batch["target"], batch["target_output"], source, target)
        terms = generator_terms(rendering, reference, self.beta, self.vgg if self.weights.vgg > 0 else None)
        # Latents are not pulled to codes that are still to be placed; `ddp` needs the codes' gradient all the same.
        early = not self.code_course.is_quantised(self.global_step)
        return {name: 0 * term if early and name in CODE_TERMS else term for name, term in terms.items()}

    def _adversarial_terms(self, rendering: Rendering, batch: FramePairBatch) -> dict[str, Tensor]:
        assert self.discriminator is not None
        real = batch["target_output"]
        terms = {}
        if self._generator_moves:
            terms["adversarial"] = generator_loss(self.discriminator, rendering.image)
        if self._discriminator_moves:
            terms["discriminator"] = discriminator_loss(self.discriminator, rendering.image, real)
            if self.weights.r1 > 0:
                terms["r1"] = gradient_penalty(self.discriminator, real)
        return terms

    @property
    def _adversarial(self) -> bool:
        started = self.global_step >= self.adversarial_start
        return self.discriminator is not None and self.weights.adversarial > 0 and started

    @property
    def _generator_moves(self) -> bool:
        return not (self._adversarial and self.alternate and self.global_step % 2 == 1)

    @property
    def _discriminator_moves(self) -> bool:
        return self._adversarial and not (self.alternate and self._generator_moves)

    def _resting(self) -> list[torch.nn.Parameter]:
        """The trained parameters of the networks that are not trained at this step."""
        resting: list[torch.nn.Parameter] = []
        if not self._generator_moves:
            resting += self.autoencoder.parameters()
        if self.discriminator is not None and not self._discriminator_moves:
            resting += self.discriminator.parameters()
        return [parameter for parameter in resting if parameter.requires_grad]

    def _code_statistics(self, rendering: Rendering) -> dict[str, Tensor]:
        if rendering.code is None or self.autoencoder.codebook is None:
            return {}
        dead = self.autoencoder.codebook.quantiser.dead.float()
        return {"perplexity": rendering.code.perplexity, "dead_codes": dead}

    def _restart_codes(self, rendering: Rendering) -> None:
        if rendering.code is not None and self.autoencoder.codebook is not None:
            self.code_course.move_codes(self.autoencoder.codebook.quantiser, rendering.code.z, self.global_step)


def _untrained_parts(autoencoder: MotionAutoencoder, trained: Sequence[str] | None) -> list[str]:
    """Return the names in the stage of the autoencoder's parts that are not trained."""
    if trained is None:
        return []
    parts = [name for name, _ in autoencoder.named_children()]
    if unknown := sorted(set(trained) - set(parts)):
        raise ValueError(f"trained is {list(trained)}, but the autoencoder has no {unknown[0]}: {', '.join(parts)}")
    return [f"autoencoder.{name}" for name in parts if name not in trained]
