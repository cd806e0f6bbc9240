"""Pipeline of the second stage: a portrait and speech to the frames of a talking face (HRTF, §III-B of the paper)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.diffusion.samplers import Sampler
from s2tf.errors import require_at_least_one
from s2tf.faces.crop import resize
from s2tf.media import audio
from s2tf.media.pictures import to_tensor, to_uint8
from s2tf.models.codeformer import CodePredictor
from s2tf.models.lips_from_speech import check_lips, lips_from_speech
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures
from s2tf.models.motion_reader import FaceState
from s2tf.models.predicted_codes import check_code_predictor, predicted_codes
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.network import Network
from s2tf.pipelines.motion_gains import Gains, scaled_codes, scaled_lips
from s2tf.pipelines.sampling import Sampling, Seed, check_waveform, generator_of
from s2tf.pipelines.video_pipeline import CodeChoice, VideoPipeline


@dataclass(frozen=True)
class TalkingSettings:
    """Settings that the networks of the second stage were trained with, and the options of sampling from them."""

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
    """Frames rendered at once; the memory grows with this number and not with the length of the video.

    Another number changes the last bits of a frame, see `s2tf.models.predicted_codes`."""
    crop: dict[str, Any] | None = None
    """The crop rule of the faces it was trained on, as JSON."""

    def __post_init__(self) -> None:
        """Refuse settings of another frame or sample rate.

        Raises:
            ValueError: A number differs from that of `s2tf.media.audio`, or the batch is below 1.
        """
        if (self.sample_rate, self.fps) != (audio.SAMPLE_RATE, audio.FPS):
            raise ValueError(
                f"sample_rate {self.sample_rate} and fps {self.fps}, but this version uses {audio.SAMPLE_RATE} and "
                f"{audio.FPS}"
            )
        require_at_least_one(batch=self.batch, steps=self.steps)
        self.gains()

    def gains(self) -> Gains:
        """The stored gains."""
        return Gains(self.blink, self.head, self.lips)


@dataclass(frozen=True)
class Motion:
    """The motion of a face that speaks, before a frame is rendered."""

    codes: Tensor
    """(T, m) motion codes z_m."""
    lips: Tensor
    """(T, 20, 2) canonical lips from audio2lmk, or (T, 20, 3) in space."""


@dataclass(frozen=True, eq=False)
class TalkingFaceOutput(Iterator[np.ndarray]):
    """The frames of a talking face, (R, R, 3) uint8 RGB each; iterating renders them one after the other."""

    portrait: np.ndarray
    """(H, W, 3) uint8 RGB, the picture that speaks."""
    frames: Iterator[np.ndarray]
    random_weights: tuple[str, ...]
    """Components whose weights were never trained; empty in a trained pipeline."""
    codes: CodeChoice | None = None
    """Choice of the codes, None without a codebook."""

    def __next__(self) -> np.ndarray:
        return next(self.frames)


class TalkingFacePipeline(VideoPipeline):
    """Portrait and speech to frames: lips and motion from the speech, then every frame rendered from the portrait."""

    motion_autoencoder: MotionAutoencoder
    lip_features: SpeechFeatures | None
    """Speech features of `LipLandmarks`; `AudioToMesh` has its own."""
    lip_landmarks: Network
    """audio2lmk: an `AudioToMesh` or a `LipLandmarks`."""
    motion_features: SpeechFeatures
    motion_diffusion: MotionDiffusion
    talking_settings: TalkingSettings
    code_predictor: CodePredictor | None
    """CodeFormer's predictor, which chooses the codes of every frame; None for the nearest ones (Eq. 18)."""

    def __init__(self, *parts: Any, random_weights: Sequence[str] = (), **named: Any) -> None:
        """Build the pipeline, see `Pipeline`.

        Raises:
            ValueError: The lips of audio2lmk are of another kind than those of the motion autoencoder, or the code
                predictor does not fit its codebook.
        """
        super().__init__(*parts, random_weights=random_weights, **named)
        check_lips(self.lip_landmarks, self.lip_features, self.motion_autoencoder.motion_reader.space)
        if self.code_predictor is not None:
            check_code_predictor(self.code_predictor, self.motion_autoencoder.codebook)

    @property
    def output_size(self) -> int:
        """Side of the frames, in pixels."""
        return self.motion_autoencoder.output_size

    @property
    def code_choice(self) -> CodeChoice | None:
        """Choice of the codes that frames are generated from, None without a codebook."""
        if self.motion_autoencoder.codebook is None:
            return None
        return "nearest" if self.code_predictor is None else "predicted"

    @property
    def crop_rule(self) -> dict[str, Any] | None:
        """The rule by which a portrait is cropped, as JSON; None where none is stored."""
        return self.talking_settings.crop

    def __call__(
        self,
        speech: np.ndarray,
        portrait: np.ndarray | None = None,
        *,
        seed: Seed = 0,
        steps: int | None = None,
        sampler: Sampler | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
        gains: Gains | Mapping[str, float] | None = None,
    ) -> TalkingFaceOutput:
        """Generate the frames of `portrait` speaking `speech`: exactly round(seconds × 25) of them, at least one.

        The motion of the whole speech is sampled first; frames are rendered in batches when they are needed, so that
        memory does not grow with the length.

        Args:
            speech: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            portrait: (H, H, 3) uint8 RGB, cropped as in training; this stage requires it.
            seed: A number or a generator; the same seed gives the same frames. None gives different frames each time.
            steps: Denoising steps of the motion diffusion, or None for the stored number, as for the options below.
            sampler: Name of the sampler, see `s2tf.diffusion.samplers`.
            guidance: Scale of classifier-free guidance, 1 for none.
            temperature: Factor on the initial noise; below 1 the motion is calmer.
            gains: Factors on the motion of blinks, head and lips; a mapping replaces the stored gains that it names.

        Raises:
            ValueError: The portrait is missing or not a square picture, the waveform is not sound of one channel, or
                gains are given and the motion diffusion was never trained.
        """
        sampling = Sampling(steps, sampler, guidance, temperature)
        return self.generate_checked(check_waveform(speech), portrait, seed, sampling, gains)

    def generate_checked(
        self,
        speech: np.ndarray,
        portrait: np.ndarray | None,
        seed: Seed,
        sampling: Sampling,
        gains: Gains | Mapping[str, float] | None,
    ) -> TalkingFaceOutput:
        """`__call__` for a waveform that `check_waveform` has returned."""
        if portrait is None:
            raise ValueError(
                "no portrait is given, expected one: this pipeline animates a portrait and cannot generate it"
            )
        source = self.encode_portrait(portrait)
        motion = self._sample(source, speech, seed, sampling, gains)
        return TalkingFaceOutput(portrait, self.render(source, motion), self.random_weights, self.code_choice)

    @torch.no_grad()
    def encode_portrait(self, portrait: np.ndarray) -> SourceFeatures:
        """The features of a portrait (H, H, 3) uint8, computed once for all its frames.

        Raises:
            ValueError: It is not a square uint8 picture.
        """
        portrait = np.asarray(portrait)
        square = portrait.ndim == 3 and portrait.shape[0] == portrait.shape[1] and portrait.shape[2] == 3
        if portrait.dtype != np.uint8 or not square:
            raise ValueError(
                f"a portrait of {portrait.dtype} {portrait.shape}: expected a square (H, H, 3) uint8 picture"
            )
        image = to_tensor(resize(portrait, self.motion_autoencoder.input_size), self.device)
        # Rows first in memory, since another order changes the last bits of the result.
        return self.motion_autoencoder.encode_source(image[None].contiguous())

    @torch.no_grad()
    def sample_motion(
        self,
        source: SourceFeatures,
        speech: np.ndarray,
        *,
        seed: Seed = 0,
        steps: int | None = None,
        sampler: Sampler | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
        gains: Gains | Mapping[str, float] | None = None,
    ) -> Motion:
        """Motion codes and lips of the whole speech; arguments as in `__call__`.

        The motion starts at the portrait's own code, and the lips move from the portrait's own mouth as the
        autoencoder reads it, so that no landmark detector is needed on a generated face.
        """
        sampling = Sampling(steps, sampler, guidance, temperature)
        return self._sample(source, check_waveform(speech), seed, sampling, gains)

    @torch.no_grad()
    def _sample(
        self,
        source: SourceFeatures,
        waveform: np.ndarray,
        seed: Seed,
        sampling: Sampling,
        gains: Gains | Mapping[str, float] | None,
    ) -> Motion:
        speech = torch.from_numpy(waveform)[None].to(self.device)
        frames = audio.frame_count(speech.shape[1])
        features = self.motion_features(speech, frames)
        codes = self.motion_diffusion.sample(
            features,
            generator=generator_of(seed),
            start=self.motion_autoencoder.source_motion(source),
            **sampling.filled(self.talking_settings),
        )
        face = self.motion_autoencoder.read_face(source)
        # Features that both have in common are computed once.
        shared = features if self.lip_features is self.motion_features else None
        lips = lips_from_speech(self.lip_landmarks, self.lip_features, speech, frames, face.lips, shared)
        if not isinstance(gains, Gains):
            gains = replace(self.talking_settings.gains(), **(gains or {}))
        return self._scaled(Motion(codes[0], lips[0]), source, face, gains)

    def _scaled(self, motion: Motion, source: SourceFeatures, face: FaceState, gains: Gains) -> Motion:
        """The motion with the gains applied; unchanged where they are 1."""
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
        codebook, predictor = self.motion_autoencoder.codebook, self.code_predictor
        change_codes = None if codebook is None or predictor is None else predicted_codes(predictor, codebook)
        for codes, lips in zip(
            motion.codes.split(self.talking_settings.batch), motion.lips.split(self.talking_settings.batch), strict=True
        ):
            rendered = self.motion_autoencoder.decode(source, codes, lips, change_codes=change_codes)
            yield from to_uint8(rendered.image)
