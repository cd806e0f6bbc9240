"""Test clips of a pipeline, generated in the paper's configurations HRTF and HRTF-SCFP while they are measured."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource, open_source
from datamodules.shards.writing import read_shard
from s2tf.errors import UserError
from s2tf.evaluation.clips_of_run import clip_seed
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.media.video_writer import VideoWriter
from s2tf.pipelines.video_pipeline import VideoPipeline
from s2tf.systems import registry

HRTF, HRTF_SCFP = "hrtf", "hrtf-scfp"
"""Configurations: the source picture is the clip's first frame, or the portrait generated from the speech."""
FRAMES_AT_ONCE = 32


@dataclass(frozen=True)
class Generation:
    """Settings for generating videos by a pipeline.

    Args:
        pipeline: A pipeline of both stages, or of only the second for `hrtf`.
        configuration: `hrtf` or `hrtf-scfp`.
        fingerprint: Hash of the pipeline's networks and settings.
        seed: Seed of the noise; the seed of each clip is derived from it and the clip's key.
        steps: Number of denoising steps, or None for the pipeline's setting.
        videos: Folder for the generated videos, or None to keep no videos.
    """

    pipeline: VideoPipeline
    configuration: str
    fingerprint: str
    seed: int
    steps: int | None
    videos: Path | None

    @property
    def name(self) -> str:
        """Text with everything that determines the frames."""
        steps = "as stored" if self.steps is None else self.steps
        choice = ", predicted codes" if self.pipeline.code_choice == "predicted" else ""
        return f"{self.configuration} of pipeline {self.fingerprint}, seed {self.seed}, steps {steps}{choice}"


@dataclass(frozen=True)
class StoredClip:
    """Place of a clip in the shards and checksums of its content; the clip itself is read later."""

    key: str
    shard: str
    """Path of the tar file."""
    index: int
    """Position of the clip in the tar file."""
    checksums: str
    """Checksums of the clip's members."""
    dataset: str = ""

    def read(self) -> Sample:
        """Read the clip.

        Raises:
            ShardError: The clip cannot be read, or its content has changed.
        """
        clip = next(read_clips(self.shard, True, self.index + 1, self.index))
        if isinstance(clip, ShardError):
            raise clip
        if (clip.key, checksums_of(clip)) != (self.key, self.checksums):
            raise ShardError(f"{self.shard}: clip {self.key} has changed since the evaluation began")
        return clip


def checksums_of(sample: Sample) -> str:
    """Write the checksums of all members of a clip in one line."""
    return " ".join(f"{name} {value}" for name, value in sorted(sample.record.crc32.items()))


@dataclass(frozen=True)
class ReferenceClip:
    """A clip of shards, the reference."""

    clip: StoredClip

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"the test clip {self.clip.key}"

    @property
    def version(self) -> str:
        """Checksums of its members."""
        return self.clip.checksums

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return self.clip.checksums

    def frames(self) -> Iterator[np.ndarray]:
        """See `VideoSource.frames`."""
        sample = self.clip.read()
        for start in range(0, sample.record.frames, FRAMES_AT_ONCE):
            yield from sample.frames(start, start + FRAMES_AT_ONCE)

    def waveform(self) -> np.ndarray | None:
        """See `VideoSource.waveform`."""
        return self.clip.read().waveform()


@dataclass(frozen=True)
class GeneratedClip:
    """A video that the pipeline generates from a clip's speech."""

    clip: StoredClip
    generation: Generation

    @property
    def name(self) -> str:
        """See `VideoSource.name`."""
        return f"{self.generation.configuration} of {self.clip.key}"

    @property
    def version(self) -> str:
        """Settings of the generation; the version of the clip belongs to the reference."""
        return self.generation.name

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        return self.version

    def frames(self) -> Iterator[np.ndarray]:
        """See `VideoSource.frames`; generated on demand, and written as a video if a folder is given."""
        sample, videos = self.clip.read(), self.generation.videos
        frames = _generate(sample, self.generation)
        if videos is None:
            yield from frames
            return
        videos.mkdir(parents=True, exist_ok=True)
        size = self.generation.pipeline.output_size
        path = videos / f"{sample.key}.mp4"
        with VideoWriter(path, (size, size), waveform=sample.waveform()) as video:
            for frame in frames:
                video.write(frame)
                yield frame

    def waveform(self) -> np.ndarray | None:
        """See `VideoSource.waveform`."""
        return self.clip.read().waveform()


def _generate(sample: Sample, generation: Generation) -> Iterator[np.ndarray]:
    speech, seed = sample.waveform(), clip_seed(generation.seed, sample.key)
    portrait = None if generation.configuration == HRTF_SCFP else sample.frames(0, 1)[0]
    return generation.pipeline(speech, portrait, seed=seed, steps=generation.steps)


def open_pipeline(folder: Path, device: str) -> VideoPipeline:
    """Open a pipeline of both stages, or of only the second.

    Raises:
        UserError: The folder holds no pipeline, or its pipeline generates no videos.
    """
    pipeline = registry.open_pipeline(folder, device, "animate", whole=True)
    assert isinstance(pipeline, VideoPipeline)
    return pipeline


def configurations_of(pipeline: VideoPipeline) -> tuple[str, ...]:
    """List the configurations for which the pipeline has the networks."""
    return (HRTF, HRTF_SCFP) if pipeline.generates_portrait else (HRTF,)


def fingerprint_of(pipeline: VideoPipeline) -> str:
    """Hash all networks and settings of a pipeline."""
    networks = {name: network.fingerprint() for name, network in pipeline.components.items()}
    settings = {name: asdict(one) for name, one in pipeline.settings.items()}
    text = json.dumps([networks, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def generated_pairs(clips: Sequence[StoredClip], generation: Generation) -> list[ClipPair]:
    """Pair each clip with the video generated from its speech, in the order of the keys."""
    ordered = sorted(clips, key=lambda clip: clip.key)
    return [ClipPair(clip.key, GeneratedClip(clip, generation), ReferenceClip(clip)) for clip in ordered]


def clips_with_sound(shards: str, split: str, clips: int | None) -> list[StoredClip]:
    """Find the first clips of a split that have sound, without reading their frames.

    Args:
        shards: Shard folder or address.
        split: Split of the clips.
        clips: Number of clips, or None for all.

    Raises:
        UserError: No clip has sound.
    """
    found = list(islice(_heard(shards, split), clips))
    if not found:
        raise UserError(f"{shards}: no clip of split {split} has sound, expected at least one")
    return found


def _heard(shards: str, split: str) -> Iterator[StoredClip]:
    source = open_source(ShardSource(shards))
    source.require_all_frames("the reference of a video")
    found = source.split(split)
    for shard, count in zip(found.urls, found.counts.tolist(), strict=True):
        for index, sample in enumerate(read_shard(shard, count)):
            if sample.record.samples:
                yield StoredClip(sample.key, shard, index, checksums_of(sample), sample.record.dataset)
