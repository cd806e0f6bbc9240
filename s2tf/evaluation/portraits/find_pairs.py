"""Finds portraits and the reference pictures that they belong to, by their names below two folders."""

from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.videos.find_pairs import files_by_name

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif")


@dataclass(frozen=True)
class PicturePairs:
    """Pictures that were found; names are paths below the folder, without the suffix."""

    references: dict[str, Path]
    """Reference picture of each speech, in the order of the names."""
    generated: dict[str, Path]
    """Portraits by their own names."""
    portraits: dict[str, list[str]]
    """Speech with a portrait -> the names of its portraits, in their order."""
    lost: list[str]
    """Names of the portraits that belong to no reference picture."""

    @property
    def people(self) -> list[str]:
        """People on the reference pictures."""
        return sorted({person_of(speech) for speech in self.references})


def find_pictures(generated: Path, reference: Path) -> PicturePairs:
    """Find portraits and reference pictures of equal names below two folders.

    Several portraits of one speech lie in a folder with the name of the reference picture: `anna/1.jpg` has
    `anna/1.png`, or `anna/1/*.png`.

    Raises:
        UserError: There is no pair, a folder does not exist, or two pictures have the same name.
    """
    for folder in (generated, reference):
        if not folder.is_dir():
            raise UserError(f"{folder} does not exist, expected a folder of pictures")
    pictures, references = (files_by_name(folder, SUFFIXES, "pictures") for folder in (generated, reference))
    portraits: dict[str, list[str]] = {}
    lost = []
    for name in sorted(pictures):
        speech = next((one for one in (name, name.rpartition("/")[0]) if one in references), None)
        if speech is None:
            lost.append(name)
        else:
            portraits.setdefault(speech, []).append(name)
    if not portraits:
        raise UserError(
            f"none of the {len(pictures)} pictures in {generated} has the same name as one of the {len(references)} in "
            f"{reference}"
        )
    return PicturePairs({speech: references[speech] for speech in sorted(references)}, pictures, portraits, lost)


def person_of(speech: str) -> str:
    """Return the person on a reference picture: the name of its subfolder, or its own name without a subfolder."""
    folder, _, name = speech.rpartition("/")
    return folder or name
