"""Pipeline of the first stage: from speech alone to the portrait of a face (SCFP, §III-A of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.diffusion.samplers import Sampler
from s2tf.errors import require_at_least_one
from s2tf.media import audio
from s2tf.media.pictures import to_uint8
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.speech_embedder import SpeechEmbedder
from s2tf.pipelines.base import Pipeline
from s2tf.pipelines.sampling import Sampling, Seed, check_waveform, generator_of


@dataclass(frozen=True)
class PortraitSettings:
    """Settings that the networks of the first stage were trained with, and the options of sampling from them.

    The numbers of the speech front end are stored so that a folder written with others is refused, not misread.
    """

    seconds: float = 6.0
    """Speech is cut or repeated to this length; the paper's is 6 s."""
    sample_rate: int = audio.SAMPLE_RATE
    window: int = audio.WINDOW
    hop: int = audio.HOP
    fft: int = audio.FFT
    power: float = audio.POWER
    steps: int = 50
    sampler: Sampler = "ddim"
    guidance: float = 1.0
    temperature: float = 1.0
    crop: dict[str, Any] | None = None
    """The crop rule of the faces it was trained on, as JSON."""

    def __post_init__(self) -> None:
        """Refuse settings of another speech front end, and numbers that give no portrait.

        Raises:
            ValueError: A number differs from that of `s2tf.media.audio`, or is too small.
        """
        expected = {
            "sample_rate": audio.SAMPLE_RATE,
            "window": audio.WINDOW,
            "hop": audio.HOP,
            "fft": audio.FFT,
            "power": audio.POWER,
        }
        for name, value in expected.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)}, but this version's spectrogram uses {value}")
        require_at_least_one(steps=self.steps)
        if self.seconds * audio.SAMPLE_RATE < audio.WINDOW:
            raise ValueError(f"seconds is {self.seconds}, expected at least {audio.WINDOW / audio.SAMPLE_RATE}")


@dataclass(frozen=True)
class PortraitOutput:
    """A portrait, and the vectors that it was generated from."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    latent: Tensor
    """z, shape (d,): the decoder's input."""
    speech_embedding: Tensor
    """z_s, shape (d,)."""
    random_weights: tuple[str, ...]
    """Components whose weights were never trained; empty in a trained pipeline."""


class PortraitPipeline(Pipeline):
    """Speech to portrait: embed the speech, sample the face latent around the weighted prior, decode it."""

    speech_encoder: SpeechEmbedder
    portrait_diffusion: PortraitDiffusion
    face_decoder: FaceDecoder
    portrait_settings: PortraitSettings

    def __call__(
        self,
        speech: np.ndarray,
        *,
        seed: Seed = 0,
        steps: int | None = None,
        sampler: Sampler | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> PortraitOutput:
        """Generate the portrait of the speaker of `speech`.

        Args:
            speech: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            seed: A number or a generator; the same seed gives the same portrait. None gives a new portrait each time.
            steps: Number of denoising steps, or None for the stored number, as for the options below.
            sampler: Name of the sampler, see `s2tf.diffusion.samplers`.
            guidance: Scale of classifier-free guidance, 1 for none.
            temperature: Factor on the initial noise.

        Raises:
            ValueError: The waveform is empty, not of one channel, or not finite, or `steps` is out of range.
        """
        return self.generate([speech], [seed], steps, sampler, guidance, temperature)[0]

    def generate(
        self,
        waveforms: Sequence[np.ndarray],
        seeds: Sequence[Seed],
        steps: int | None = None,
        sampler: Sampler | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> list[PortraitOutput]:
        """Generate a portrait for each of several speeches at once; a portrait does not depend on the others.

        Args:
            waveforms: Speeches in the form for `__call__`, of any lengths.
            seeds: A seed for each speech.
            steps: See `__call__`.
            sampler: See `__call__`.
            guidance: See `__call__`.
            temperature: See `__call__`.

        Raises:
            ValueError: The numbers of seeds and waveforms differ, or `__call__` would refuse a waveform.
        """
        if len(seeds) != len(waveforms):
            raise ValueError(f"{len(seeds)} seeds for {len(waveforms)} waveforms: expected one each")
        checked = [check_waveform(waveform) for waveform in waveforms]
        return self.generate_checked(checked, seeds, Sampling(steps, sampler, guidance, temperature))

    @torch.no_grad()
    def generate_checked(
        self, waveforms: Sequence[np.ndarray], seeds: Sequence[Seed], sampling: Sampling
    ) -> list[PortraitOutput]:
        """`generate` for waveforms that `check_waveform` has returned."""
        z_s = self._embed(waveforms)
        diffusion = self.portrait_diffusion
        # Each portrait has its own noise, so that it does not depend on the other rows.
        generators = [generator_of(seed) for seed in seeds]
        shape = (1, *diffusion.latent_shape)
        noise = [torch.randn(shape, generator=one, device=one.device).to(z_s) for one in generators]
        latents = diffusion.sample(z_s, noise=torch.cat(noise), **sampling.filled(self.portrait_settings))
        images = to_uint8(self.face_decoder(latents))
        return [
            PortraitOutput(image, latent.cpu(), embedding.cpu(), self.random_weights)
            for image, latent, embedding in zip(images, latents, z_s, strict=True)
        ]

    @torch.no_grad()
    def embed_speech(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        """The speech embeddings z_s, shape (B, d), of B waveforms (S,)."""
        return self._embed([check_waveform(waveform) for waveform in waveforms])

    def _embed(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        seconds = self.portrait_settings.seconds
        fitted = np.stack([audio.fit_seconds(waveform, seconds) for waveform in waveforms])
        speech = torch.from_numpy(fitted).to(self.device)
        if self.speech_encoder.reads == "spectrogram":
            speech = audio.power_law_spectrogram(speech)
        return self.speech_encoder(speech)
