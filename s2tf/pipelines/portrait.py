"""The first stage for use: from speech alone to the portrait of a face (SCFP, §III-A of the paper)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from torch import Tensor

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.media import audio
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.speech_encoder import SpeechEncoder
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
        "speech_encoder": SpeechEncoder,
        "portrait_diffusion": PortraitDiffusion,
        "face_decoder": FaceDecoder,
    }
    settings_types: ClassVar[Mapping[str, type]] = {"portrait_settings": PortraitSettings}

    def __init__(
        self,
        speech_encoder: SpeechEncoder,
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
        defaults = self.portrait_settings
        z_s = self.embed_speech(waveform)
        latent = self.portrait_diffusion.sample(
            z_s,
            steps=defaults.steps if steps is None else steps,
            kind=defaults.sampler if sampler is None else sampler,
            generator=generator_of(seed),
            guidance=defaults.guidance if guidance is None else guidance,
            temperature=defaults.temperature if temperature is None else temperature,
        )
        image = to_uint8(self.face_decoder(latent))[0]
        return PortraitOutput(image, latent[0].cpu(), z_s[0].cpu(), self.random_weights)

    @torch.no_grad()
    def embed_speech(self, waveform: np.ndarray) -> Tensor:
        """The speech embedding z_s, shape (1, d), of (S,) samples."""
        fitted = audio.fit_seconds(check_waveform(waveform), self.portrait_settings.seconds)
        speech = torch.from_numpy(fitted)[None].to(self.device)
        if cast(Any, self.speech_encoder).reads == "spectrogram":
            speech = audio.power_law_spectrogram(speech)
        return self.speech_encoder(speech)
