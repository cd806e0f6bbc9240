"""Measures a pipeline on test clips in both of the paper's configurations: HRTF and HRTF-SCFP."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource, open_source
from datamodules.shards.writing import read_shard
from s2tf.errors import UserError
from s2tf.evaluation.test_clips import clip_seed
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.media.video_writer import VideoWriter
from s2tf.pipelines.base import read_index
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
from s2tf.pipelines.talking_face import TalkingFacePipeline

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
class StoredClip:
    """Where a clip lies in the shards, and what tells its content; the clip itself is read when its turn comes."""

    key: str
    shard: str
    """The tar file."""
    index: int
    """In it."""
    checksums: str
    """Of its members."""

    def read(self) -> "Sample":
        """The clip.

        Raises:
            ShardError: It cannot be read, or is not what it was.
        """
        clip = next(read_clips(self.shard, True, self.index + 1, self.index))
        if isinstance(clip, ShardError):
            raise clip
        if (clip.key, checksums_of(clip)) != (self.key, self.checksums):
            raise ShardError(f"{self.shard}: clip {self.key} is not what it was when the evaluation began")
        return clip


def checksums_of(sample: "Sample") -> str:
    """Of all members of a clip, in one line."""
    return " ".join(f"{name} {value}" for name, value in sorted(sample.record.crc32.items()))


@dataclass(frozen=True)
class TrueClip:
    """A clip of shards."""

    clip: StoredClip

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"the test clip {self.clip.key}"

    @property
    def version(self) -> str:
        """Its members' checksums."""
        return self.clip.checksums

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return self.clip.checksums

    def frames(self) -> "Iterator[np.ndarray]":
        """See `VideoSource.frames`."""
        sample = self.clip.read()
        for start in range(0, sample.record.frames, FRAMES_AT_ONCE):
            yield from sample.frames(start, start + FRAMES_AT_ONCE)

    def waveform(self) -> "np.ndarray | None":
        """See `VideoSource.waveform`."""
        return self.clip.read().waveform()


@dataclass(frozen=True)
class GeneratedClip:
    """What the pipeline makes of a clip's speech."""

    clip: StoredClip
    drawing: Drawing

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"{self.drawing.configuration} of {self.clip.key}"

    @property
    def version(self) -> str:
        """What it is drawn by; the clip itself is the other one of the pair."""
        return self.drawing.name

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return self.version

    def frames(self) -> "Iterator[np.ndarray]":
        """See `VideoSource.frames`; drawn as they are asked for, and kept as a video where that is wanted."""
        sample, drawing = self.clip.read(), self.drawing
        frames = _draw(sample, drawing)
        if drawing.videos is None:
            yield from frames
            return
        drawing.videos.mkdir(parents=True, exist_ok=True)
        size = _talking_face(drawing.pipeline).output_size
        path = drawing.videos / f"{sample.key}.mp4"
        with VideoWriter(path, (size, size), waveform=sample.waveform()) as video:
            for frame in frames:
                video.write(frame)
                yield frame

    def waveform(self) -> "np.ndarray | None":
        """See `VideoSource.waveform`."""
        return self.clip.read().waveform()


def _draw(sample: "Sample", drawing: Drawing) -> "Iterator[np.ndarray]":
    speech, seed = sample.waveform(), clip_seed(drawing.seed, sample.key)
    if drawing.configuration == HRTF_SCFP:
        return drawing.pipeline(speech, seed=seed, steps=drawing.steps).frames
    return _talking_face(drawing.pipeline)(sample.frames(0, 1)[0], speech, seed=seed, steps=drawing.steps)


def open_pipeline(folder: Path, device: str) -> Any:
    """A pipeline of both stages, or of the second alone.

    Raises:
        UserError: It is none, or of the first stage alone.
    """
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


def drawn_pairs(clips: Sequence[StoredClip], drawing: Drawing) -> "list[ClipPair]":
    """Each clip's speech drawn, beside the clip; in the order of the keys."""
    ordered = sorted(clips, key=lambda clip: clip.key)
    return [ClipPair(clip.key, GeneratedClip(clip, drawing), TrueClip(clip)) for clip in ordered]


def clips_with_sound(shards: str, split: str, clips: int | None) -> list[StoredClip]:
    """The first clips of a split that have sound: where they are, without their bytes.

    Raises:
        UserError: There is none.
    """
    found = list(islice(_heard(shards, split), clips))
    if not found:
        raise UserError(f"{shards}: no clip with sound in its split {split}")
    return found


def _heard(shards: str, split: str) -> Iterator[StoredClip]:
    found = open_source(ShardSource(shards)).split(split)
    for shard, count in zip(found.urls, found.counts.tolist(), strict=True):
        for index, sample in enumerate(read_shard(shard, count)):
            if sample.record.samples:
                yield StoredClip(sample.key, shard, index, checksums_of(sample))


def _talking_face(pipeline: Any) -> Any:
    return getattr(pipeline, "talking_face", pipeline)
