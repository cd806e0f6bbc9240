"""Pipeline of both stages: from speech alone to a portrait, and to the video of this portrait speaking."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from s2tf.diffusion.samplers import Sampler
from s2tf.pipelines.motion_gains import Gains
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.pipelines.sampling import Sampling, Seed, check_waveform
from s2tf.pipelines.talking_face import TalkingFaceOutput, TalkingFacePipeline
from s2tf.pipelines.video_pipeline import CodeChoice, VideoPipeline


class SpeechToTalkingFacePipeline(VideoPipeline):
    """The two stages in one folder; `portrait` and `talking_face` can be used, and loaded, alone.

    pipeline = SpeechToTalkingFacePipeline.from_pretrained("demo/pipeline")
    for frame in pipeline(speech, seed=0):
        ...
    """

    portrait: PortraitPipeline
    talking_face: TalkingFacePipeline

    generates_portrait: ClassVar[bool] = True

    @property
    def output_size(self) -> int:
        """Side of the frames, in pixels."""
        return self.talking_face.output_size

    @property
    def code_choice(self) -> CodeChoice | None:
        """Choice of the codes that frames are generated from, None without a codebook."""
        return self.talking_face.code_choice

    @property
    def crop_rule(self) -> dict[str, Any] | None:
        """The rule by which a given portrait is cropped, as JSON; None where none is stored."""
        return self.talking_face.crop_rule

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
        """Generate the frames of the speaker's face speaking `speech`; the result holds the portrait too.

        The portrait between the stages is a uint8 picture. A portrait that was saved, perhaps edited, and then given as
        `portrait` therefore speaks in the same way as the portrait that is generated here.

        Args:
            speech: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            portrait: (H, H, 3) uint8 RGB, cropped as in training, or None to generate it from the speech.
            seed: A number or a generator for both stages, or None for a different result each time.
            steps: Denoising steps of each diffusion, or None for each stage's stored number, as for the options below.
            sampler: Name of the sampler, see `s2tf.diffusion.samplers`.
            guidance: Scale of classifier-free guidance in both stages, 1 for none.
            temperature: Factor on the initial noise of both stages.
            gains: Factors on the motion of blinks, head and lips; a mapping replaces the stored gains that it names.

        Raises:
            ValueError: The waveform is not sound of one channel, the portrait is not a square picture, or gains are
                given and the motion diffusion was never trained.
        """
        speech, sampling = check_waveform(speech), Sampling(steps, sampler, guidance, temperature)
        if portrait is None:
            portrait = self.portrait.generate_checked([speech], [seed], sampling)[0].image
        output = self.talking_face.generate_checked(speech, portrait, seed, sampling, gains)
        return TalkingFaceOutput(portrait, output.frames, self.random_weights, output.codes)
