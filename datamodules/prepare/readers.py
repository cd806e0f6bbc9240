"""The readers of all data sets by name."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from datamodules.prepare import avspeech, folder, hdtf, vfhq, voxceleb
from datamodules.prepare.avspeech import AVSpeechReader
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.hdtf import HDTFReader
from datamodules.prepare.recording import Reader
from datamodules.prepare.splits import HeldOut
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.prepare.vfhq import VFHQReader
from datamodules.prepare.voxceleb import VoxCelebReader
from datamodules.prepare.wild import WildReader


@dataclass(frozen=True)
class ReaderSettings:
    """The choice of recordings.

    Attributes:
        dataset: A name in `READERS`.
        source: The data set's folder; `wild`: a list of clips; `synthetic`: the number of speakers.
        val: Share of people held out for validation, or None for the data set's default.
        test: Share of people held out for test, or None for the data set's default.
        splits: `official`, or `letters`: the people of voxceleb1 by the first letters of their names.
        seed: Seed for the splits and for the synthetic speakers.
        clips: Clips of each synthetic speaker.
        seconds: Length of a synthetic clip.
        size: Side of the synthetic picture in pixels.
    """

    dataset: str
    source: str
    val: float | None = None
    test: float | None = None
    splits: str = "official"
    seed: int = 0
    clips: int = 2
    seconds: float = 4.0
    size: int = 256

    def held_out(self, default: HeldOut) -> HeldOut:
        """The people kept out of training: the given shares, else the data set's own.

        Raises:
            ValueError: A share for test was given, but the data set names its own test set.
        """
        if self.test is not None and not default.test:
            raise ValueError(f"--test {self.test} has no effect: {self.dataset} has its own test set")
        given = {name: value for name, value in (("val", self.val), ("test", self.test)) if value is not None}
        return replace(default, seed=self.seed, **given)


def open_reader(settings: ReaderSettings) -> "Reader | SyntheticReader":
    """The reader of a data set.

    Raises:
        FileNotFoundError: The source or one of its tables is missing.
        ValueError: The source has another form, or the shares or splits do not fit the data set.
    """
    if settings.splits != "official" and settings.dataset != "voxceleb1":
        raise ValueError(f"--splits {settings.splits}: {settings.dataset} has no such splits, expected voxceleb1")
    return READERS[settings.dataset](settings)


def _synthetic(settings: ReaderSettings) -> SyntheticReader:
    if not settings.source.isdigit():
        raise ValueError(f"SOURCE is the number of synthetic speakers, got {settings.source!r}")
    shares = settings.held_out(HeldOut())
    people, sizes = int(settings.source), (settings.clips, settings.seconds, settings.size)
    return SyntheticReader(people, *sizes, settings.seed, val=shares.val, test=shares.test)


def _voxceleb(settings: ReaderSettings) -> VoxCelebReader:
    if settings.splits == "letters" and settings.val is not None:
        raise ValueError(f"--val {settings.val} has no effect with --splits letters, which names its validation set")
    return VoxCelebReader(
        settings.source, settings.dataset, settings.held_out(voxceleb.HELD_OUT), splits=settings.splits
    )


READERS: dict[str, Callable[[ReaderSettings], Reader | SyntheticReader]] = {
    "avspeech": lambda settings: AVSpeechReader(settings.source, settings.held_out(avspeech.HELD_OUT)),
    "folder": lambda settings: FolderReader(settings.source, settings.held_out(folder.HELD_OUT)),
    "hdtf": lambda settings: HDTFReader(settings.source, settings.held_out(hdtf.HELD_OUT)),
    "synthetic": _synthetic,
    "vfhq": lambda settings: VFHQReader(settings.source, settings.held_out(vfhq.HELD_OUT)),
    "voxceleb1": _voxceleb,
    "voxceleb2": _voxceleb,
    "wild": lambda settings: WildReader(settings.source),
}
