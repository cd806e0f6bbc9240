"""Synthetic speakers as a data set that `prepare` reads like any other."""

from collections.abc import Iterator
from dataclasses import dataclass

from datamodules.prepare.recording import LoadedClip, Recording
from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker


@dataclass(frozen=True, kw_only=True)
class SyntheticRecording(Recording):
    """One clip, rendered when it is loaded.

    Attributes:
        seed: Seed of the population.
        index: Position of the speaker in the population.
        clip: Number of the clip; words and head motion depend on it.
        seconds: Length of the clip.
        size: Side of the picture in pixels.
        day: Day of the recording; see `restyle`.
    """

    seed: int
    index: int
    clip: int
    seconds: float
    size: int
    day: int = 0

    def load(self) -> LoadedClip:
        """Render the clip; never fails."""
        seconds = self.seconds if self.max_seconds is None else min(self.seconds, self.max_seconds)
        speaker = make_speaker(self.seed, self.index, self.day)
        clip = render_clip(speaker, seconds, self.size, self.clip)
        return LoadedClip(clip.frames, clip.waveform, clip.landmarks, clip.truth, depth=clip.depth)


class SyntheticReader:
    """The recordings of a population of synthetic speakers.

    The speakers are split in order: first train, then val, then test. Populations of different `seed` share no person,
    and neither do readers of one seed whose ranges from `first` to `first + speakers` do not overlap.

    Args:
        speakers: Number of people; an even number from an even `first` is half women, half men.
        clips: Clips of each speaker.
        seconds: Length of each clip.
        size: Side of the picture in pixels, 64 to 512.
        seed: Seed of the population, 0 or more.
        val: Share of the speakers in the validation split.
        test: Share of the speakers in the test split.
        first: Position of the first speaker in the population.
        days: Render every clip of a speaker on another day (other hair colour, clothes, background and light).

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        speakers: int,
        clips: int,
        seconds: float,
        size: int,
        seed: int,
        val: float = 0.1,
        test: float = 0.1,
        first: int = 0,
        days: bool = False,
    ):
        if speakers < 1 or clips < 1:
            raise ValueError(f"speakers and clips must be 1 or more, got {speakers} and {clips}")
        if val < 0 or test < 0 or val + test > 1:
            raise ValueError(f"val and test must be shares of 0 or more that sum to at most 1, got {val} and {test}")
        if seed < 0 or first < 0:
            raise ValueError(f"seed and first must be 0 or more, got {seed} and {first}")
        self.speakers = speakers
        self.clips = clips
        self.seconds = seconds
        self.size = size
        self.seed = seed
        self.val = val
        self.test = test
        self.first = first
        self.days = days

    def __len__(self) -> int:
        return self.speakers * self.clips

    def __iter__(self) -> Iterator[SyntheticRecording]:
        for position in range(self.speakers):
            for clip in range(self.clips):
                yield self._recording(position, clip)

    def split_of(self, position: int) -> str:
        """The split of the speaker at a position from 0 to `speakers` - 1."""
        tests = round(self.speakers * self.test)
        vals = min(round(self.speakers * self.val), self.speakers - tests)
        if position >= self.speakers - tests:
            return "test"
        return "val" if position >= self.speakers - tests - vals else "train"

    def _recording(self, position: int, clip: int) -> SyntheticRecording:
        index = self.first + position
        speaker = make_speaker(self.seed, index)
        return SyntheticRecording(
            key=f"synthetic-s{self.seed}-{index:05d}-{clip:02d}",
            dataset="synthetic",
            identity=speaker.identity,
            split=self.split_of(position),
            attributes={"gender": speaker.gender, "age": speaker.age},
            seed=self.seed,
            index=index,
            clip=clip,
            seconds=self.seconds,
            size=self.size,
            day=clip if self.days else 0,
        )
