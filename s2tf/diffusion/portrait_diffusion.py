"""The portrait diffusion P_diff as one network: denoiser, prior, and the prior's weighting."""

from typing import Any, cast

import torch
from torch import Tensor

from s2tf.diffusion.objective import (
    Target,
    check_target,
    denoising_loss,
    noise_of,
    sample_kept,
    sample_levels,
    target_weight,
)
from s2tf.diffusion.prior_injection import Injection, Predict, injected
from s2tf.diffusion.row_noise import Generators, repeated
from s2tf.diffusion.samplers import Sampler
from s2tf.diffusion.sampling import sample
from s2tf.diffusion.schedule import BetaSchedule, make_scheduler
from s2tf.nn.network import Network


class PortraitDiffusion(Network):
    """Diffusion from the speech embedding z_s to the face latent z_0 (section III-A.2 of the paper).

    Inputs and outputs are latents in the face encoder's units, shape (B, d). Inside they are divided by the prior's
    scale and folded by a fixed reshape to the denoiser's map (c, h, w); the prior is scaled and folded in the same way.

    The denoiser predicts the `target` and is trained on its squared error: `noise`, the paper's ε, or `sample`, the
    latent z_0 itself. Latents of faces fill few of their d dimensions; a denoiser of z_0 learns these first, and leaves
    no noise in the others, where after few steps one of ε still does.
    """

    def __init__(
        self,
        unet: Network,
        weighting: Network,
        prior: Network,
        injection: Injection = "input",
        betas: BetaSchedule = "scaled_linear",
        train_steps: int = 1000,
        target: Target = "noise",
    ) -> None:
        """Build the diffusion.

        Args:
            unet: the denoiser, a `PortraitUNet`.
            weighting: the weight of the prior, a `PriorWeighting`.
            prior: the prior and the latents' scale, a `FacePrior`; not trained.
            injection: the reading of Eq. 6–9, see `s2tf.diffusion.prior_injection`.
            betas: the noise schedule.
            train_steps: the number T of noise levels.
            target: the denoiser's prediction, see the class.

        Raises:
            ValueError: prior and denoiser's map differ in size, or `target` is unknown.
        """
        super().__init__()
        check_target(target)
        self.unet, self.weighting, self.prior = unet, weighting, prior
        self.latent_shape: tuple[int, ...] = tuple(cast(Any, unet).latent_shape)
        self.injection, self.betas, self.train_steps, self.target = injection, betas, train_steps, target
        self.scheduler = make_scheduler("ddpm", betas, train_steps)
        size = self.prior.get_buffer("z_p").numel()
        if size != torch.Size(self.latent_shape).numel():
            raise ValueError(f"the prior has {size} dimensions, expected those of the denoiser's {self.latent_shape}")

    def forward(self, y_t: Tensor, t: Tensor, z_s: Tensor) -> Tensor:
        """Predict the noise in the ordinary (unshifted) state.

        Args:
            y_t: scaled latent √ᾱ_t z_0 + √(1 − ᾱ_t) ε, shape (B, c, h, w).
            t: noise levels, shape (B,).
            z_s: speech embedding, shape (B, d_s).

        Returns:
            ε, shape (B, c, h, w).
        """
        return self._predict(z_s)(y_t, t)

    def loss(
        self,
        z_f: Tensor,
        z_s: Tensor,
        draws: int = 1,
        speech_dropout: float = 0.0,
        generator: Generators = None,
    ) -> Tensor:
        """The denoising loss (Eq. 7).

        Args:
            z_f: face latents, shape (B, d).
            z_s: speech embeddings of the same rows, shape (B, d_s).
            draws: (t, ε) pairs per row.
            speech_dropout: probability that a row's embedding is replaced by zeros, for classifier-free guidance.
            generator: source of randomness for all rows, or one for each.

        Returns:
            A scalar.
        """
        z_f, z_s, generator = z_f.repeat(draws, 1), z_s.repeat(draws, 1), repeated(generator, draws)
        if speech_dropout > 0:
            z_s = z_s * sample_kept(z_s, speech_dropout, generator)[:, None]
        z_0 = self._folded(z_f / self.prior.get_buffer("scale"))
        t = sample_levels(self.train_steps, z_0, generator)
        weight = target_weight(z_0, t, self.scheduler, self.target)
        return denoising_loss(self._predict(z_s), z_0, self.scheduler, t=t, weight=weight, generator=generator)

    @torch.no_grad()
    def sample(
        self,
        z_s: Tensor,
        steps: int = 50,
        kind: Sampler = "ddim",
        generator: torch.Generator | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Sample a face latent for each speech embedding.

        Args:
            z_s: speech embeddings, shape (B, d_s).
            steps: denoiser calls (twice as many with guidance).
            kind: the sampler.
            generator: seeds the noise; a CPU generator gives the same sample on every device.
            guidance: scale of classifier-free guidance; 1 is none. Other values need `speech_dropout` in training.
            temperature: factor on the initial noise; 1 samples the learned distribution, less stays nearer to its mode.
            noise: the initial noise before the factor, shape (B, c, h, w); sampled by `generator` if None.

        Returns:
            z_0 in the face encoder's units, shape (B, d).
        """
        predict = self._predict(z_s)
        if guidance != 1.0:
            predict = _guided(predict, self._predict(torch.zeros_like(z_s)), guidance)
        source = generator.device if generator is not None else z_s.device
        if noise is None:
            noise = torch.randn((len(z_s), *self.latent_shape), generator=generator, device=source)
        scheduler = make_scheduler(kind, self.betas, self.train_steps)
        z_0 = sample(predict, temperature * noise.to(z_s), scheduler, steps, generator=generator)
        return z_0.flatten(1) * self.prior.get_buffer("scale")

    def weighted_prior(self, z_s: Tensor) -> Tensor:
        """β ⊙ z_p in the diffusion's units, folded to (B, c, h, w)."""
        return self._folded(self.weighting(z_s, self.prior.get_buffer("z_p") / self.prior.get_buffer("scale")))

    def _predict(self, z_s: Tensor) -> Predict:
        def predict(z_t: Tensor, t: Tensor) -> Tensor:
            return self.unet(z_t, t, z_s)

        shifted = injected(predict, self.weighted_prior(z_s), self.scheduler, self.injection)

        def noise(y_t: Tensor, t: Tensor) -> Tensor:
            return noise_of(shifted(y_t, t), y_t, t, self.scheduler, self.target)

        return noise

    def _folded(self, z: Tensor) -> Tensor:
        return z.reshape(len(z), *self.latent_shape)


def _guided(conditional: Predict, unconditional: Predict, scale: float) -> Predict:
    def predict(y_t: Tensor, t: Tensor) -> Tensor:
        base = unconditional(y_t, t)
        return base + scale * (conditional(y_t, t) - base)

    return predict
