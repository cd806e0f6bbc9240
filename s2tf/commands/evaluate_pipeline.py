"""Measures a pipeline on test clips in both of the paper's configurations: HRTF and HRTF-SCFP."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from datamodules.samples import Sample
    from s2tf.metrics.video_pairs import ClipPair

HRTF, HRTF_SCFP = "hrtf", "hrtf-scfp"
"""The true first frame is the reference picture; the portrait made of the speech is."""
FRAMES_AT_ONCE = 32


@dataclass(frozen=True)
class Drawing:
    """How a pipeline draws.

    Args:
        pipeline: Of both stages, or of the second alone for `hrtf`.
        configuration: `hrtf` or `hrtf-scfp`.
        fingerprint: Of the pipeline's networks and settings.
        seed: Of the noise; each clip has its own, by its key.
        steps: Denoiser calls; None as the pipeline's settings say.
        videos: Folder in which the generated videos are kept, None for none.
    """

    pipeline: Any
    configuration: str
    fingerprint: str
    seed: int
    steps: int | None
    videos: Path | None

    @property
    def name(self) -> str:
        """All that decides the frames, in one line."""
        steps = "as stored" if self.steps is None else self.steps
        return f"{self.configuration} of pipeline {self.fingerprint}, seed {self.seed}, steps {steps}"


@dataclass(frozen=True)
class TrueClip:
    """A clip of shards."""

    sample: "Sample"

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"the test clip {self.sample.key}"

    @property
    def version(self) -> str:
        """Its members' checksums."""
        return self.digest()

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return " ".join(f"{name} {value}" for name, value in sorted(self.sample.record.crc32.items()))

    def frames(self) -> "Iterator[np.ndarray]":
        """See `VideoSource.frames`."""
        for start in range(0, self.sample.record.frames, FRAMES_AT_ONCE):
            yield from self.sample.frames(start, start + FRAMES_AT_ONCE)

    def waveform(self) -> "np.ndarray | None":
        """See `VideoSource.waveform`."""
        return self.sample.waveform() if self.sample.record.samples else None


@dataclass(frozen=True)
class GeneratedClip:
    """What the pipeline makes of a clip's speech."""

    sample: "Sample"
    drawing: Drawing

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"{self.drawing.configuration} of {self.sample.key}"

    @property
    def version(self) -> str:
        """What it is drawn by; the clip itself is the other one of the pair."""
        return self.drawing.name

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return self.version

    def frames(self) -> "Iterator[np.ndarray]":
        """See `VideoSource.frames`; drawn as they are asked for, and kept as a video where that is wanted."""
        from s2tf.media.video import VideoWriter

        frames, drawing = self._draw(), self.drawing
        if drawing.videos is None:
            yield from frames
            return
        drawing.videos.mkdir(parents=True, exist_ok=True)
        size = _talking_face(drawing.pipeline).output_size
        path = drawing.videos / f"{self.sample.key}.mp4"
        with VideoWriter(path, (size, size), waveform=self.sample.waveform()) as video:
            for frame in frames:
                video.write(frame)
                yield frame

    def waveform(self) -> "np.ndarray | None":
        """See `VideoSource.waveform`."""
        return self.sample.waveform() if self.sample.record.samples else None

    def _draw(self) -> "Iterator[np.ndarray]":
        from s2tf.commands.evaluation import clip_seed

        drawing, speech = self.drawing, self.sample.waveform()
        seed = clip_seed(drawing.seed, self.sample.key)
        if drawing.configuration == HRTF_SCFP:
            return drawing.pipeline(speech, seed=seed, steps=drawing.steps).frames
        talking_face = _talking_face(drawing.pipeline)
        return talking_face(self.sample.frames(0, 1)[0], speech, seed=seed, steps=drawing.steps)


def open_pipeline(folder: Path, device: str) -> Any:
    """A pipeline of both stages, or of the second alone.

    Raises:
        UserError: It is none, or of the first stage alone.
    """
    from s2tf.pipelines.base import read_index
    from s2tf.pipelines.portrait import PortraitPipeline
    from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
    from s2tf.pipelines.talking_face import TalkingFacePipeline

    try:
        components = read_index(folder)["components"]
        both = set(PortraitPipeline.component_types) <= set(components)
        kind: Any = SpeechToTalkingFacePipeline if both else TalkingFacePipeline
        return kind.from_pretrained(folder).to(device)
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error


def configurations_of(pipeline: Any) -> tuple[str, ...]:
    """What the pipeline can be measured in."""
    return (HRTF, HRTF_SCFP) if hasattr(pipeline, "portrait") else (HRTF,)


def fingerprint_of(pipeline: Any) -> str:
    """Of all its networks and settings."""
    networks = {name: network.fingerprint() for name, network in pipeline.components.items()}
    settings = {name: asdict(one) for name, one in pipeline.settings.items()}
    text = json.dumps([networks, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def drawn_pairs(samples: "list[Sample]", drawing: Drawing) -> "list[ClipPair]":
    """Each clip's speech drawn, beside the clip; in the order of the keys."""
    from s2tf.metrics.video_pairs import ClipPair

    ordered = sorted(samples, key=lambda sample: sample.key)
    return [ClipPair(sample.key, GeneratedClip(sample, drawing), TrueClip(sample)) for sample in ordered]


def clips_with_sound(shards: str, split: str, clips: int | None) -> "list[Sample]":
    """The first clips of a split that have sound; held in memory, compressed.

    Raises:
        UserError: There is none.
    """
    from itertools import islice

    from datamodules.shards import read_split

    heard = (sample for sample in read_split(shards, split) if sample.record.samples)
    samples = list(islice(heard, clips))
    if not samples:
        raise UserError(f"{shards}: no clip with sound in its split {split}")
    return samples


def _talking_face(pipeline: Any) -> Any:
    return getattr(pipeline, "talking_face", pipeline)
