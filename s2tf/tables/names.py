"""Names of files and people: composed and decomposed letters, and backslashes of Windows, spell the same name."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from s2tf.errors import UserError

SHOWN = 5
"""Greatest number of names that a message lists."""


def normal_name(name: str) -> str:
    """A name with composed letters (NFC), by which names are compared: a Mac's files have decomposed ones.

    Example:
        >>> len("Zoë"), len(normal_name("Zoë"))
        (3, 3)
    """
    return unicodedata.normalize("NFC", name)


def sorting_key(path: Path) -> list[str]:
    """Key that sorts paths as Python does, whether their letters are composed or not."""
    return normal_name(str(path)).split("/")


def listed(names: Sequence[str]) -> str:
    """Names for a message: the first ones, then the number of the others.

    Example:
        >>> listed([str(number) for number in range(8)])
        '0, 1, 2, 3, 4 and 3 more'
    """
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def refuse_twins(files: Iterable[Path]) -> None:
    """Refuse files of one folder whose names differ only in composed and decomposed letters.

    Raises:
        UserError: There are such files; the message lists them.
    """
    first: dict[str, Path] = {}
    twins = [path for path in files if first.setdefault(normal_name(str(path)), path) != path]
    if twins:
        raise UserError(
            f"{len(twins)} files have the name of another one, spelt with composed instead of decomposed letters: "
            f"{listed([str(path) for path in twins])}: expected different names, delete or rename one of each pair"
        )


class FileFinder:
    """Finds the files that a table names.

    Args:
        folder: Folder of the table, to which its paths are relative.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, text: str) -> Path | None:
        """Find a file, or return None if there is none of this name.

        A file that is named exactly so comes first; else backslashes separate folders, as on Windows, letters may be
        composed or decomposed, and the name may have spaces around it, which the cells of a table have not.
        """
        for spelling in dict.fromkeys((text, text.replace("\\", "/"))):
            path = self._existing(self.folder / spelling)
            if path is not None and path.is_file():
                return path
        return None

    def _existing(self, path: Path) -> Path | None:
        """Return a path that exists and has the same name; None if there is none."""
        if os.path.exists(path):
            return path
        parent = self._existing(path.parent) if path.parent != path else None
        name = None if parent is None else self._entries(parent).get(normal_name(path.name))
        return None if parent is None or name is None else parent / name

    def _entries(self, folder: Path) -> dict[str, str]:
        """Names in a folder by their normal names, with and without spaces around them, listed once."""
        if folder not in self._names:
            names = sorted(os.listdir(folder)) if folder.is_dir() else []
            exact = {normal_name(name): name for name in names}
            # Of two names that differ only in these spaces, neither is meant for sure.
            spaced = Counter(key.strip() for key in exact)
            bare = {key.strip(): name for key, name in exact.items() if spaced[key.strip()] == 1}
            self._names[folder] = bare | exact
        return self._names[folder]
