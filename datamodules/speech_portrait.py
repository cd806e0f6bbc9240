"""Speech and portrait of the same speaker, for ConRe and SCFP.

The paper takes the face of a clip's first frame and the first six seconds of its speech (section IV-B). A face needs
not more than one picture of a clip, which is also what makes AVSpeech fit on a disk (`s2tf prepare --portraits`).
Experiments of the paper's size follow it. The other choice, `random`, shows a network more faces and more speech of the
same recordings; small data sets need it, and runs that were trained before there was a choice used it.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from datamodules.base import ShardDataModule
from datamodules.shards.records import GENDERS
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher, new_tensor
from datamodules.streaming.pictures import put_picture
from s2tf.media.audio import SAMPLE_RATE, fit_seconds, from_pcm, power_law_spectra, spectra_shape

Choice = Literal["first", "random"]
CHOICES = ("first", "random")


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

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        batcher.put("key", self.key)
        batcher.put("pcm", fit_seconds(self.pcm, self.seconds))
        batcher.put("identity", np.int64(self.identity))
        batcher.put("gender", np.int64(self.gender))
        batcher.put("age", np.float32(self.age))
        put_picture(batcher, "portrait", self.size, self.jpeg, self.stored, self.key)


@dataclass(frozen=True)
class SpeechPortraitSampler:
    """Chooses a frame and a window of speech of the same clip, independently of each other."""

    size: int
    seconds: float
    portrait: Choice = "random"
    speech: Choice = "random"
    per_clip: int = 1

    def train(self, sample: Sample, rng: random.Random) -> list[SpeechPortraitExample]:
        """The frame and the window of speech, each the first or a random one; short speech has only one window."""
        longer = sample.record.samples - round(self.seconds * SAMPLE_RATE)
        start = rng.randint(0, longer) if self.speech == "random" and longer > 0 else 0
        return [self._example(sample, self._frame(sample, rng), start)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> SpeechPortraitExample:
        """The first frame or one chosen by the seed, and the beginning of the speech, as in the paper.

        A second example of a clip, with which evaluations compare the first, is another frame if there are several.
        """
        others = sample.record.pictures[1:]
        frame = rng.choice(others) if self.portrait == "first" and number and others else self._frame(sample, rng)
        return self._example(sample, frame, 0)

    def _frame(self, sample: Sample, rng: random.Random) -> int:
        return 0 if self.portrait == "first" else rng.choice(sample.record.pictures)

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
            anew each time in training, chosen by the seed in validation and test. The default is what runs without this
            argument were trained with.
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
        portrait: Choice = "random",
        speech: Choice = "random",
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, **common)
        if size < 1 or seconds < 0.025:
            raise ValueError(f"data.init_args: size {size} must be positive, seconds {seconds} at least 0.025")
        if portrait not in CHOICES or speech not in CHOICES:
            raise ValueError(f"data.init_args: portrait {portrait!r}, speech {speech!r}: expected first or random")
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
