"""Finds portraits and the true pictures that they belong to, by their names below two folders."""

from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.videos.find_pairs import SUFFIXES as VIDEO_SUFFIXES
from s2tf.evaluation.videos.find_pairs import files_by_name

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True)
class PicturePairs:
    """What there is to measure; names are paths below the folder, without the suffix."""

    true: dict[str, Path]
    """The true picture of each speech."""
    made: dict[str, Path]
    """The portraits by their own names."""
    drawn: dict[str, list[str]]
    """Names of the portraits of each speech that has one, in their order."""
    lost: list[str]
    """Names of the portraits that belong to no true picture."""

    @property
    def people(self) -> list[str]:
        """Whom the true pictures show."""
        return sorted({person_of(speech) for speech in self.true})


def holds_pictures(folder: Path) -> bool:
    """Whether there are pictures in a folder or below it, and no videos that they may be previews of."""
    kinds = {path.suffix.lower() for path in folder.rglob("*")} if folder.is_dir() else set()
    return bool(kinds & set(SUFFIXES)) and not kinds & set(VIDEO_SUFFIXES)


def find_pictures(generated: Path, reference: Path) -> PicturePairs:
    """Portraits and true pictures of equal names below two folders.

    Where several portraits were drawn of one speech, they lie in a folder that is called as the true picture:
    `anna/1.jpg` has `anna/1.png`, or `anna/1/*.png`.

    Raises:
        UserError: There is no pair, or two pictures have one name.
    """
    made, true = (files_by_name(folder, SUFFIXES, "pictures") for folder in (generated, reference))
    drawn: dict[str, list[str]] = {}
    lost = []
    for name in sorted(made):
        speech = next((one for one in (name, name.rpartition("/")[0]) if one in true), None)
        if speech is None:
            lost.append(name)
        else:
            drawn.setdefault(speech, []).append(name)
    if not drawn:
        raise UserError(
            f"no picture of the {len(made)} in {generated} has the name of one of {len(true)} in {reference}"
        )
    return PicturePairs({speech: true[speech] for speech in sorted(true)}, made, drawn, lost)


def person_of(speech: str) -> str:
    """Whom a true picture shows: its folder's name, its own where it lies in none."""
    folder, _, name = speech.rpartition("/")
    return folder or name
