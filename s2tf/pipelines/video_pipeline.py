"""Base of the pipelines that generate videos: what commands and evaluations read of every system's."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from s2tf.pipelines.base import Pipeline
from s2tf.pipelines.sampling import Seed

CodeChoice = Literal["nearest", "predicted"]
"""Codes of the codebook that frames are generated from: the nearest (Eq. 18), or those of a code predictor."""


class VideoPipeline(Pipeline):
    """Pipeline whose call gives the frames of a talking face, one after the other.

    A subclass defines `output_size` and `__call__`, and the rest where it has it.
    """

    generates_portrait: ClassVar[bool] = False
    """True if the call without a portrait generates one from the speech."""

    @property
    def output_size(self) -> int:
        """Side of the frames, in pixels."""
        raise NotImplementedError(f"{type(self).__name__} does not define output_size")

    @property
    def code_choice(self) -> CodeChoice | None:
        """Choice of the codes that frames are generated from, None without a codebook."""
        return None

    @property
    def crop_rule(self) -> dict[str, Any] | None:
        """The rule by which a given portrait is cropped, as JSON; None where none is stored."""
        return None

    def __call__(
        self,
        speech: np.ndarray,
        portrait: np.ndarray | None = None,
        *,
        seed: Seed = 0,
        steps: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate the frames of `portrait` speaking `speech`; a system may have more options.

        Args:
            speech: (S,) float mono at 16 kHz in [-1, 1], of any length from 1.
            portrait: (H, H, 3) uint8 RGB, cropped as in training; None where the pipeline generates it.
            seed: A number or a generator; the same seed gives the same frames. None gives different frames each time.
            steps: Number of denoising steps, or None for the stored number.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define a call")
