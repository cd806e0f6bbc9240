"""The first stage for use: from speech alone to the portrait of a face (SCFP, §III-A of the paper)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.media import audio
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.speech_embedder import SpeechEmbedder
from s2tf.nn.network import Network
from s2tf.pipelines.base import Pipeline, check_waveform, generator_of, to_uint8

Sampler = Literal["ddim", "dpm-solver++"]


@dataclass(frozen=True)
class PortraitSettings:
    """What the networks of the first stage were trained with and must be given again, and how to sample from them.

    The numbers of the speech front end are stored so that a folder made with others is refused, not misread.
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
        """Refuse settings of another speech front end.

        Raises:
            ValueError: a number differs from that of `s2tf.media.audio`.
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


@dataclass(frozen=True)
class PortraitOutput:
    """A portrait and how it came about."""

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

    component_types: ClassVar[Mapping[str, type[Network]]] = {
        "speech_encoder": SpeechEmbedder,
        "portrait_diffusion": PortraitDiffusion,
        "face_decoder": FaceDecoder,
    }
    settings_types: ClassVar[Mapping[str, type]] = {"portrait_settings": PortraitSettings}

    def __init__(
        self,
        speech_encoder: SpeechEmbedder,
        portrait_diffusion: PortraitDiffusion,
        face_decoder: FaceDecoder,
        portrait_settings: PortraitSettings | None = None,
        random_weights: Sequence[str] = (),
    ) -> None:
        portrait_settings = portrait_settings or PortraitSettings()
        components = {
            "speech_encoder": speech_encoder,
            "portrait_diffusion": portrait_diffusion,
            "face_decoder": face_decoder,
        }
        super().__init__(components, {"portrait_settings": portrait_settings}, random_weights)
        self.speech_encoder = speech_encoder
        self.portrait_diffusion = portrait_diffusion
        self.face_decoder = face_decoder
        self.portrait_settings = portrait_settings

    @torch.no_grad()
    def __call__(
        self,
        waveform: np.ndarray,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: "int | torch.Generator | None" = 0,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> PortraitOutput:
        """Generate the portrait of the speaker of `waveform`.

        What is None is taken from the settings.

        Args:
            waveform: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            steps: denoiser calls.
            sampler: `ddim` or `dpm-solver++`.
            seed: an integer or a generator; the same one gives the same portrait. None draws a fresh one.
            guidance: scale of classifier-free guidance, 1 for none.
            temperature: factor on the initial noise.

        Raises:
            ValueError: the waveform is empty, not of one channel, or not finite, or `steps` is out of range.
        """
        return self.generate([waveform], [seed], steps, sampler, guidance, temperature)[0]

    @torch.no_grad()
    def generate(
        self,
        waveforms: Sequence[np.ndarray],
        seeds: "Sequence[int | torch.Generator | None]",
        steps: int | None = None,
        sampler: Sampler | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
    ) -> list[PortraitOutput]:
        """Generate a portrait for each of several speeches at once; a portrait does not depend on the others.

        Args:
            waveforms: as `__call__`'s, of any lengths.
            seeds: one for each.
            steps: as `__call__`'s.
            sampler: as `__call__`'s.
            guidance: as `__call__`'s.
            temperature: as `__call__`'s.

        Raises:
            ValueError: there are not as many seeds as waveforms, or `__call__` would refuse one of them.
        """
        if len(seeds) != len(waveforms):
            raise ValueError(f"{len(seeds)} seeds for {len(waveforms)} waveforms: expected one each")
        defaults = self.portrait_settings
        z_s = self.embed_speech(waveforms)
        diffusion = self.portrait_diffusion
        generators = [generator_of(seed) for seed in seeds]
        shape = (1, *diffusion.latent_shape)
        noise = [torch.randn(shape, generator=one, device=one.device).to(z_s) for one in generators]
        latents = diffusion.sample(
            z_s,
            steps=defaults.steps if steps is None else steps,
            kind=defaults.sampler if sampler is None else sampler,
            noise=torch.cat(noise),
            guidance=defaults.guidance if guidance is None else guidance,
            temperature=defaults.temperature if temperature is None else temperature,
        )
        images = to_uint8(self.face_decoder(latents))
        return [
            PortraitOutput(image, latent.cpu(), embedding.cpu(), self.random_weights)
            for image, latent, embedding in zip(images, latents, z_s, strict=True)
        ]

    @torch.no_grad()
    def embed_speech(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        """The speech embeddings z_s, shape (B, d), of B waveforms (S,)."""
        seconds = self.portrait_settings.seconds
        fitted = np.stack([audio.fit_seconds(check_waveform(waveform), seconds) for waveform in waveforms])
        speech = torch.from_numpy(fitted).to(self.device)
        if self.speech_encoder.reads == "spectrogram":
            speech = audio.power_law_spectrogram(speech)
        return self.speech_encoder(speech)
