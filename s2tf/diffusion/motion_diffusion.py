"""The motion diffusion M_diff as one network: denoiser and statistics of the codes (Eq. 20)."""

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
from s2tf.diffusion.prior_injection import Predict
from s2tf.diffusion.row_noise import Generators, repeated
from s2tf.diffusion.samplers import Sampler
from s2tf.diffusion.sampling import sample
from s2tf.diffusion.schedule import BetaSchedule, make_scheduler
from s2tf.diffusion.windows import Windows, windowed
from s2tf.nn.network import Network

SETTLE = 10
"""Frames over which the correction of the first code fades out: 0.4 s."""


class MotionDiffusion(Network):
    """Diffusion from speech features to motion codes (section III-B.2 of the paper).

    Inputs and outputs are codes in the motion encoder's units, shape (B, T, m); inside, codes are normalised.

    The denoiser predicts the `target` and is trained on its squared error. `noise`, the paper's target, is ε. `sample`
    is the codes x_0, as in motion diffusion models since MDM; then ε = (x_t - √ᾱ x_0) / √(1 − ᾱ). Motion is smooth: at
    low noise x_0 is little more than a smoothed x_t, while ε must be found in the remainder. And sampling begins with
    an x_0 in which an error in ε is magnified by √(1 − ᾱ)/√ᾱ (157 at the last level of the linear schedule). After
    hundreds of training steps instead of hundreds of thousands, a denoiser of ε diverges in sampling, but a denoiser of
    x_0 does not.
    """

    def __init__(
        self,
        unet: Network,
        statistics: Network,
        betas: BetaSchedule = "linear",
        train_steps: int = 1000,
        target: Target = "noise",
        window: int = 125,
        overlap: int = 25,
    ) -> None:
        """Build the diffusion.

        Args:
            unet: the denoiser, a `MotionUNet`.
            statistics: mean and deviation of the codes, a `MotionStatistics` of the same m.
            betas: the noise schedule.
            train_steps: the number of noise levels.
            target: the denoiser's prediction, see the class.
            window: frames sampled together, the length of the training clips.
            overlap: frames that neighbouring windows share, see `s2tf.diffusion.windows`.

        Raises:
            ValueError: the parts' m differ, `target` is unknown, or the overlap is not less than the window.
        """
        super().__init__()
        check_target(target)
        Windows(window, window, overlap)
        self.unet, self.statistics = unet, statistics
        self.motion_dim = cast(int, unet.motion_dim)
        if len(statistics.get_buffer("mean")) != self.motion_dim:
            raise ValueError(
                f"statistics.motion_dim is {len(statistics.get_buffer('mean'))}, expected the denoiser's "
                f"{self.motion_dim}"
            )
        self.betas, self.train_steps, self.target = betas, train_steps, target
        self.window, self.overlap = window, overlap
        self.scheduler = make_scheduler("ddpm", betas, train_steps)

    def forward(self, x_t: Tensor, t: Tensor, features: Tensor) -> Tensor:
        """Predict the noise in normalised codes (B, T, m) at noise levels (B,), given features (B, 2 T, C)."""
        return self._denoise(x_t, t, features)

    def loss(
        self,
        codes: Tensor,
        features: Tensor,
        draws: int = 1,
        speech_dropout: float = 0.0,
        start_dropout: float = 0.5,
        generator: Generators = None,
    ) -> Tensor:
        """The denoising loss (Eq. 20).

        Args:
            codes: motion codes, shape (B, T, m).
            features: speech features, shape (B, 2 T, C).
            draws: (t, ε) pairs per row.
            speech_dropout: probability that a row's features are replaced by zeros, for classifier-free guidance.
            start_dropout: probability that the code of a row's first frame is hidden.
            generator: source of randomness for all rows, or one for each.

        Returns:
            A scalar, the mean over all elements.
        """
        x_0 = cast(Any, self.statistics).normalise(codes).repeat(draws, 1, 1)
        features, generator = features.repeat(draws, 1, 1), repeated(generator, draws)
        if speech_dropout > 0:
            features = features * sample_kept(x_0, speech_dropout, generator)[:, None, None]
        started = sample_kept(x_0, start_dropout, generator)

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            return self._denoise(x_t, t, features, x_0[:, 0], started)

        t = sample_levels(self.train_steps, x_0, generator)
        weight = target_weight(x_0, t, self.scheduler, self.target)
        return denoising_loss(predict, x_0, self.scheduler, t=t, weight=weight, generator=generator)

    @torch.no_grad()
    def sample(
        self,
        features: Tensor,
        steps: int = 50,
        kind: Sampler = "ddim",
        generator: torch.Generator | None = None,
        start: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
    ) -> Tensor:
        """Sample motion for speech of any length.

        Args:
            features: speech features of the whole speech, shape (B, 2 T, C).
            steps: denoiser calls (twice as many with guidance).
            kind: the sampler.
            generator: seeds the noise; a CPU generator gives the same sample on every device.
            start: code of the first frame, shape (B, m), or None. The denoiser reads it; afterwards a correction that
                fades over 0.4 s sets the first frame exactly.
            guidance: scale of classifier-free guidance; 1 is none. Other values need `speech_dropout` in training.
            temperature: factor on the initial noise; less than 1 gives calmer motion, nearer to the mode.

        Returns:
            Motion codes, shape (B, T, m).
        """
        frames = features.shape[1] // 2
        windows = Windows(frames, self.window, self.overlap)
        start = None if start is None else cast(Any, self.statistics).normalise(start)
        predict = self._predict(features, start, windows)
        if guidance != 1.0:
            predict = _guided(predict, self._predict(torch.zeros_like(features), start, windows), guidance)
        source = generator.device if generator is not None else features.device
        noise = torch.randn(len(features), frames, self.motion_dim, generator=generator, device=source).to(features)
        scheduler = make_scheduler(kind, self.betas, self.train_steps)
        x_0 = sample(predict, temperature * noise, scheduler, steps, generator=generator)
        if start is not None:
            x_0 = _begun_at(x_0, start)
        return cast(Any, self.statistics).denormalise(x_0)

    def _denoise(
        self, x_t: Tensor, t: Tensor, features: Tensor, start: Tensor | None = None, started: Tensor | None = None
    ) -> Tensor:
        """The noise ε, computed from the denoiser's prediction."""
        predicted = self.unet(x_t, t, features, start, started)
        return noise_of(predicted, x_t, t, self.scheduler, self.target)

    def _predict(self, features: Tensor, start: Tensor | None, windows: Windows) -> Predict:
        """The denoiser of whole sequences, given their speech and the normalised code of their first frame."""
        pieces = windows.split_features(features)
        if start is None:
            return windowed(lambda x_t, t, rows: self._denoise(x_t, t, pieces[rows]), windows)
        starts = start.repeat_interleave(len(windows.starts), dim=0)
        first = windows.first(len(features)).to(features.device)

        def predict(x_t: Tensor, t: Tensor, rows: slice) -> Tensor:
            return self._denoise(x_t, t, pieces[rows], starts[rows], first[rows])

        return windowed(predict, windows)


def _begun_at(x_0: Tensor, start: Tensor) -> Tensor:
    """Correct codes (B, T, m) so that the first is `start` (B, m); the correction fades over `SETTLE` frames."""
    frame = torch.arange(x_0.shape[1], device=x_0.device)
    fade = 0.5 * (1 + torch.cos(torch.pi * (frame / SETTLE).clamp(max=1)))
    return x_0 + fade.to(x_0)[:, None] * (start - x_0[:, 0])[:, None]


def _guided(conditional: Predict, unconditional: Predict, scale: float) -> Predict:
    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        base = unconditional(x_t, t)
        return base + scale * (conditional(x_t, t) - base)

    return predict
