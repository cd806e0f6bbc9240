"""Speech and portrait of the same speaker, for ConRe and SCFP.

The paper takes the face of a clip's first frame and the first six seconds of its speech (section IV-B). A face needs
not more than one picture of a clip, which is also what makes AVSpeech fit on a disk (`s2tf prepare --portraits`).
Experiments of the paper's size follow it. `random` shows a network more faces and more speech of the same recordings;
runs that were trained before there was a choice used it. `aligned` takes the most frontal pictures of a clip with open
eyes and a closed mouth, and moves their eyes to fixed places: what speech cannot tell is the same in all of them, which
few data and small networks need. The paper's own references (section IV-B) are frontal faces in that sense.
"""

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from datamodules.base import ShardDataModule
from datamodules.shards.errors import ShardError
from datamodules.shards.records import GENDERS
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher, new_tensor
from datamodules.streaming.pictures import put_picture
from s2tf.faces.alignment import most_frontal
from s2tf.faces.lips import to_picture_units
from s2tf.media.audio import SAMPLE_RATE, fit_seconds, from_pcm, power_law_spectra, spectra_shape

Choice = Literal["first", "random"]
CHOICES = ("first", "random")
PortraitChoice = Literal["first", "random", "aligned"]
PORTRAIT_CHOICES = ("first", "random", "aligned")
ALIGNED = 4
"""Greatest number of a clip's most frontal pictures that training chooses from ..."""
ALIGNED_SHARE = 8
"""... and at most an eighth of its stored pictures, so that few pictures are not all taken for frontal."""


def identity_number(dataset: str, identity: str) -> int:
    """A speaker as a number below 2^63, the same on every machine."""
    digest = hashlib.blake2b(f"{dataset}/{identity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(slots=True)
class SpeechPortraitExample:
    """The bytes of one row of a `SpeechPortraitBatch`."""

    key: str
    jpeg: bytes
    stored: int
    pcm: np.ndarray
    seconds: float
    size: int
    identity: int
    gender: int
    age: float
    landmarks: np.ndarray | None = None
    """(68, 2) in pixels of the stored picture, where it is to be aligned."""

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        batcher.put("key", self.key)
        batcher.put("pcm", fit_seconds(self.pcm, self.seconds))
        batcher.put("identity", np.int64(self.identity))
        batcher.put("gender", np.int64(self.gender))
        batcher.put("age", np.float32(self.age))
        put_picture(batcher, "portrait", self.size, self.jpeg, self.stored, self.key, self.landmarks)


@dataclass(frozen=True)
class SpeechPortraitSampler:
    """Chooses a frame and a window of speech of the same clip, independently of each other."""

    size: int
    seconds: float
    portrait: PortraitChoice = "random"
    speech: Choice = "random"
    per_clip: int = 1

    def train(self, sample: Sample, rng: random.Random) -> list[SpeechPortraitExample]:
        """The frame and the window of speech, each the first or a random one; short speech has only one window."""
        longer = sample.record.samples - round(self.seconds * SAMPLE_RATE)
        start = rng.randint(0, longer) if self.speech == "random" and longer > 0 else 0
        frame = 0 if self.portrait == "first" else rng.choice(self._frames(sample))
        return [self._example(sample, frame, start)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> SpeechPortraitExample:
        """The first or the most frontal frame or one chosen by the seed, and the beginning of the speech.

        A second example of a clip, with which evaluations compare the first, is another frame if there are several.
        """
        if self.portrait == "random":
            return self._example(sample, rng.choice(sample.record.pictures), 0)
        # The best one, then one of the others.
        best, *others = self._frames(sample, at_least=2) if self.portrait == "aligned" else sample.record.pictures
        return self._example(sample, rng.choice(others) if number and others else best, 0)

    def _frames(self, sample: Sample, at_least: int = 1) -> Sequence[int]:
        """The stored frames that a portrait is chosen from, the best ones first; `at_least` so many if there are."""
        pictures = sample.record.pictures
        if self.portrait != "aligned":
            return pictures
        order = most_frontal(to_picture_units(sample.picture_landmarks(), sample.record.size))
        if not len(order):
            raise ShardError(f"sample {sample.key!r}: no picture has eyes at two places, expected landmarks of a face")
        count = max(at_least, min(ALIGNED, len(pictures) // ALIGNED_SHARE))
        return [pictures[index] for index in order[:count].tolist()]

    def collate(self, batch: Batch) -> Batch:
        """Add the waveforms and the spectra, each written straight into its place in the batch."""
        pcm = batch.pop("pcm")
        waveform = new_tensor(tuple(pcm.shape))
        spectra = new_tensor((len(pcm), *spectra_shape(pcm.shape[-1])))
        # Row by row, since the processor's cache holds a row but not a batch.
        for samples, sound, out in zip(pcm.numpy(), waveform, spectra, strict=True):
            from_pcm(samples, out=sound.numpy())
            power_law_spectra(sound, out=out)
        return {**batch, "waveform": waveform, "spectra": spectra}

    def _example(self, sample: Sample, frame: int, start: int) -> SpeechPortraitExample:
        record = sample.record
        gender = record.attributes.get("gender")
        age = record.attributes.get("age")
        return SpeechPortraitExample(
            key=sample.key,
            jpeg=sample.jpeg(frame),
            stored=record.size,
            pcm=sample.pcm(start, round(self.seconds * SAMPLE_RATE)),
            seconds=self.seconds,
            size=self.size,
            identity=identity_number(record.dataset, record.identity),
            gender=GENDERS.index(gender) if gender is not None else -1,
            age=math.nan if age is None else float(age),
            landmarks=sample.landmarks(frame, frame + 1)[0] if self.portrait == "aligned" else None,
        )


class SpeechPortraitData(ShardDataModule):
    """`SpeechPortraitBatch`es: a window of a clip's speech and one of its frames.

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        size: Side of the portrait in pixels.
        seconds: Length of the speech, cut or repeated by the paper's rule.
        portrait: `first` for the first frame of the clip, as in the paper, or `random` for one of its stored frames:
            anew each time in training, chosen by the seed in validation and test, or `aligned` for the most frontal
            one (in training one of the few most frontal ones), its eyes moved to fixed places. The default is what runs
            without this argument were trained with.
        speech: `first` for the beginning of the speech, as in the paper, or `random` for a cut that begins anywhere in
            training; validation and test take the beginning.
        common: The other arguments of `ShardDataModule`.
    """

    needs_all_frames = False

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        size: int = 256,
        seconds: float = 6.0,
        portrait: PortraitChoice = "random",
        speech: Choice = "random",
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, **common)
        if size < 1 or seconds < 0.025:
            raise ValueError(f"data.init_args: size {size} must be positive, seconds {seconds} at least 0.025")
        if portrait not in PORTRAIT_CHOICES or speech not in CHOICES:
            raise ValueError(
                f"data.init_args: portrait {portrait!r}, speech {speech!r}: expected first or random, or aligned for "
                "the portrait"
            )
        self.size = size
        self.seconds = seconds
        self.portrait = portrait
        self.speech = speech

    def sampler(self) -> SpeechPortraitSampler:
        """The sampler of frames and windows."""
        return SpeechPortraitSampler(self.size, self.seconds, self.portrait, self.speech)

    def on_device(self, batch: dict[str, Any]) -> Any:
        """See `ShardDataModule.on_device`; the spectra become pictures of two channels, (B, 2, T, F)."""
        batch = super().on_device(batch)
        return batch | {"spectrogram": batch.pop("spectra").movedim(-1, 1).contiguous()}

    def wanted_size(self) -> int:
        """Side of the portrait."""
        return self.size
