"""The second stage for use: a portrait and speech to the frames of a talking face (HRTF, §III-B of the paper)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.faces.crop import resize
from s2tf.media import audio
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures
from s2tf.models.motion_reader import FaceState
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.network import Network
from s2tf.pipelines.base import Pipeline, check_waveform, generator_of, to_uint8
from s2tf.pipelines.motion_gains import Gains, scaled_codes, scaled_lips

Sampler = Literal["ddim", "dpm-solver++"]


@dataclass(frozen=True)
class TalkingSettings:
    """What the networks of the second stage were trained with and must be given again, and how to sample from them."""

    sample_rate: int = audio.SAMPLE_RATE
    fps: int = audio.FPS
    steps: int = 50
    sampler: Sampler = "ddim"
    guidance: float = 1.0
    temperature: float = 1.0
    blink: float = 1.0
    """Gains, see `s2tf.pipelines.motion_gains.Gains`."""
    head: float = 1.0
    lips: float = 1.0
    batch: int = 16
    """Frames rendered at once: the memory that a video takes, however long it is."""
    crop: dict[str, Any] | None = None
    """The crop rule of the faces it was trained on, as JSON."""

    def __post_init__(self) -> None:
        """Refuse settings of another frame or sample rate.

        Raises:
            ValueError: a number differs from that of `s2tf.media.audio`, or the batch is below 1.
        """
        if (self.sample_rate, self.fps) != (audio.SAMPLE_RATE, audio.FPS):
            raise ValueError(
                f"sample_rate {self.sample_rate} and fps {self.fps}, but this version uses {audio.SAMPLE_RATE} and "
                f"{audio.FPS}"
            )
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, expected at least 1")
        self.gains()

    def gains(self) -> Gains:
        """The gains that are stored."""
        return Gains(self.blink, self.head, self.lips)


@dataclass(frozen=True)
class Motion:
    """What the speech makes of a face, before a frame is drawn."""

    codes: Tensor
    """(T, m) motion codes z_m."""
    lips: Tensor
    """(T, 20, 2) canonical lips from audio2lmk."""


class TalkingFacePipeline(Pipeline):
    """Portrait and speech to frames: lips and motion from the speech, then every frame rendered from the portrait."""

    component_types: ClassVar[Mapping[str, type[Network]]] = {
        "motion_autoencoder": MotionAutoencoder,
        "lip_features": SpeechFeatures,
        "lip_landmarks": LipLandmarks,
        "motion_features": SpeechFeatures,
        "motion_diffusion": MotionDiffusion,
    }
    settings_types: ClassVar[Mapping[str, type]] = {"talking_settings": TalkingSettings}

    def __init__(
        self,
        motion_autoencoder: MotionAutoencoder,
        lip_features: SpeechFeatures,
        lip_landmarks: LipLandmarks,
        motion_features: SpeechFeatures,
        motion_diffusion: MotionDiffusion,
        talking_settings: TalkingSettings | None = None,
        random_weights: Sequence[str] = (),
    ) -> None:
        talking_settings = talking_settings or TalkingSettings()
        components = {
            "motion_autoencoder": motion_autoencoder,
            "lip_features": lip_features,
            "lip_landmarks": lip_landmarks,
            "motion_features": motion_features,
            "motion_diffusion": motion_diffusion,
        }
        super().__init__(components, {"talking_settings": talking_settings}, random_weights)
        self.motion_autoencoder = motion_autoencoder
        self.lip_features, self.lip_landmarks = lip_features, lip_landmarks
        self.motion_features, self.motion_diffusion = motion_features, motion_diffusion
        self.talking_settings = talking_settings

    @property
    def output_size(self) -> int:
        """Side of the frames, in pixels."""
        return self.motion_autoencoder.output_size

    def __call__(
        self,
        portrait: np.ndarray,
        waveform: np.ndarray,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: "int | torch.Generator | None" = 0,
        guidance: float | None = None,
        temperature: float | None = None,
        gains: Gains | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the frames of `portrait` speaking `waveform`, exactly round(seconds × 25) of them, at least one.

        The motion of the whole speech is drawn first; frames are rendered in batches as they are asked for, so that
        memory does not grow with the length. What is None is taken from the settings.

        Args:
            portrait: (H, W, 3) uint8 RGB, square, framed as the training's crops.
            waveform: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            steps: denoiser calls of the motion diffusion.
            sampler: `ddim` or `dpm-solver++`.
            seed: an integer or a generator; the same one gives the same frames. None draws a fresh one.
            guidance: scale of classifier-free guidance, 1 for none.
            temperature: factor on the initial noise; below 1 the motion is calmer.
            gains: how much of the blinks, of the head's and of the lips' motion is shown.

        Yields:
            Frames, (R, R, 3) uint8 RGB.

        Raises:
            ValueError: the portrait is no square picture, the waveform no sound of one channel, or gains are wanted of
                a motion diffusion that has seen no motion.
        """
        source = self.encode_portrait(portrait)
        motion = self.draw_motion(source, waveform, steps, sampler, seed, guidance, temperature, gains)
        return self.render(source, motion)

    @torch.no_grad()
    def encode_portrait(self, portrait: np.ndarray) -> SourceFeatures:
        """The features of a portrait (H, W, 3) uint8, computed once for all its frames."""
        portrait = np.asarray(portrait)
        square = portrait.ndim == 3 and portrait.shape[0] == portrait.shape[1] and portrait.shape[2] == 3
        if portrait.dtype != np.uint8 or not square:
            raise ValueError(
                f"a portrait of {portrait.dtype} {portrait.shape}: expected a square (H, H, 3) uint8 picture"
            )
        pixels = np.ascontiguousarray(resize(portrait, self.motion_autoencoder.input_size).transpose(2, 0, 1))
        image = torch.from_numpy(pixels)[None].to(self.device).float() / 127.5 - 1
        return self.motion_autoencoder.encode_source(image)

    @torch.no_grad()
    def draw_motion(
        self,
        source: SourceFeatures,
        waveform: np.ndarray,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: "int | torch.Generator | None" = 0,
        guidance: float | None = None,
        temperature: float | None = None,
        gains: Gains | None = None,
    ) -> Motion:
        """Motion codes and lips of the whole speech; arguments as in `__call__`.

        The motion starts at the portrait's own code, and the lips move from the portrait's own mouth as the
        autoencoder reads it, so that no landmark detector is needed on a generated face.
        """
        defaults = self.talking_settings
        speech = torch.from_numpy(check_waveform(waveform))[None].to(self.device)
        frames = audio.frame_count(speech.shape[1])
        codes = self.motion_diffusion.sample(
            self.motion_features(speech, frames),
            steps=defaults.steps if steps is None else steps,
            kind=defaults.sampler if sampler is None else sampler,
            generator=generator_of(seed),
            start=self.motion_autoencoder.source_motion(source),
            guidance=defaults.guidance if guidance is None else guidance,
            temperature=defaults.temperature if temperature is None else temperature,
        )
        face = self.motion_autoencoder.read_face(source)
        lips = self.lip_landmarks(self.lip_features(speech, frames), face.lips)
        return self._scaled(Motion(codes[0], lips[0]), source, face, defaults.gains() if gains is None else gains)

    def _scaled(self, motion: Motion, source: SourceFeatures, face: FaceState, gains: Gains) -> Motion:
        """The motion with the gains applied; itself where they are 1."""
        if not gains.changes:
            return motion
        if not getattr(self.motion_diffusion.statistics, "fitted", False):
            raise ValueError("gains other than 1 need a motion diffusion that was trained: its statistics are empty")
        covariance = self.motion_diffusion.statistics.get_buffer("covariance")
        reader = self.motion_autoencoder.motion_reader
        codes = scaled_codes(motion.codes, source.z_id, face, reader, covariance, gains)
        return Motion(codes, scaled_lips(motion.lips, gains.lips))

    @torch.no_grad()
    def render(self, source: SourceFeatures, motion: Motion) -> Iterator[np.ndarray]:
        """Yield the frames (R, R, 3) uint8 of a motion, rendering `talking_settings.batch` of them at a time."""
        for codes, lips in zip(
            motion.codes.split(self.talking_settings.batch), motion.lips.split(self.talking_settings.batch), strict=True
        ):
            yield from to_uint8(self.motion_autoencoder.decode(source, codes, lips).image)
