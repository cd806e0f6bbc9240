"""Both stages for use: from speech alone to a portrait and to the video of it speaking."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from s2tf.nn.network import Network
from s2tf.pipelines.base import Pipeline
from s2tf.pipelines.motion_gains import Gains
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.pipelines.talking_face import TalkingFacePipeline


@dataclass(frozen=True)
class TalkingFaceOutput:
    """A portrait, and its frames as they are rendered."""

    portrait: np.ndarray
    """(H, W, 3) uint8 RGB."""
    frames: Iterator[np.ndarray]
    """(R, R, 3) uint8 RGB each, rendered when they are asked for."""
    random_weights: tuple[str, ...]
    """Components whose weights were never trained; empty in a trained pipeline."""


class SpeechToTalkingFacePipeline(Pipeline):
    """The two stages in one folder; `portrait` and `talking_face` can be used, and loaded, alone."""

    component_types: ClassVar[Mapping[str, type[Network]]] = {
        **PortraitPipeline.component_types,
        **TalkingFacePipeline.component_types,
    }
    settings_types: ClassVar[Mapping[str, type]] = {
        **PortraitPipeline.settings_types,
        **TalkingFacePipeline.settings_types,
    }

    def __init__(self, portrait: PortraitPipeline, talking_face: TalkingFacePipeline) -> None:
        super().__init__(
            {**portrait.components, **talking_face.components},
            {**portrait.settings, **talking_face.settings},
            [*portrait.random_weights, *talking_face.random_weights],
        )
        self.portrait, self.talking_face = portrait, talking_face

    @classmethod
    def _assembled(
        cls, components: Mapping[str, Network], settings: Mapping[str, Any], random_weights: Sequence[str]
    ) -> "SpeechToTalkingFacePipeline":
        def part(stage: type[Pipeline]) -> Any:
            return stage._assembled(
                {name: components[name] for name in stage.component_types},
                {name: settings[name] for name in stage.settings_types},
                [name for name in random_weights if name in stage.component_types],
            )

        return cls(part(PortraitPipeline), part(TalkingFacePipeline))

    def __call__(
        self,
        waveform: np.ndarray,
        seed: "int | torch.Generator | None" = 0,
        steps: int | None = None,
        gains: Gains | None = None,
    ) -> TalkingFaceOutput:
        """Generate the speaker's portrait and the video of it speaking.

        Args:
            waveform: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            seed: an integer or a generator, of both stages.
            steps: denoiser calls of each diffusion; None takes each stage's own setting.
            gains: how much of the blinks, of the head's and of the lips' motion is shown; None as the setting says.

        Raises:
            ValueError: the waveform is empty, not of one channel, or not finite.
        """
        portrait = self.portrait(waveform, steps=steps, seed=seed).image
        frames = self.talking_face(portrait, waveform, steps=steps, seed=seed, gains=gains)
        return TalkingFaceOutput(portrait, frames, self.random_weights)
