"""Checks of places for results before the work starts, so that no result is lost at the end."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from s2tf.errors import UserError

LONGEST_NAME = 200
"""Greatest length of a file's name in bytes; file systems take 255, and an unfinished file has a longer name."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = (".mp4", ".m4v", ".mov")
"""Names of files whose content is MP4."""


def check_output_file(
    option: str, path: Path | None, suffixes: Sequence[str] = (), folder: Path | None = None, created: bool = False
) -> None:
    """Refuse a file that could not be written at the end.

    Args:
        option: Option that names the file, for the message.
        path: The file, or None for no file.
        suffixes: Suffixes of its name that are allowed, or none for any name.
        folder: A folder that the command will create, or None.
        created: True if the folder of the file is created with it.

    Raises:
        UserError: The path is a folder, lies below a file, lacks a known suffix, or cannot be written.
    """
    if path is None:
        return
    origin = f"{option} {path}"
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UserError(f"{option} {path.name[:40]}...: the name is too long, expected at most {LONGEST_NAME} bytes")
    nearest = _nearest(origin, path)
    if nearest == path:
        if path.is_dir():
            raise UserError(f"{origin}: a folder, expected a file")
        if not os.access(path, os.W_OK):
            raise UserError(f"{origin}: no permission to write this file")
        if not path.is_file():
            return  # A device or a pipe, such as /dev/stdout.
        nearest = path.absolute().parent
    if suffixes and path.suffix.lower() not in suffixes:
        found = f"the suffix {path.suffix}" if path.suffix else "no suffix"
        raise UserError(f"{origin}: the name has {found}, expected one of {', '.join(suffixes)}")
    _check_folder(origin, nearest)
    parent = path.absolute().parent
    if not created and nearest != parent and (folder is None or folder.absolute() != parent):
        raise UserError(f"{origin}: its folder {path.parent} does not exist")


def check_output_folder(option: str, path: Path | None) -> None:
    """Refuse a folder that could not be created.

    Args:
        option: Option that names the folder, for the message.
        path: The folder, or None if the command chooses it.

    Raises:
        UserError: The path, or its nearest existing parent, is a file or a folder without write permission.
    """
    if path is not None:
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise UserError(f"{option} {path.name[:40]}...: the name is too long, expected at most {LONGEST_NAME}")
        _check_folder(f"{option} {path}", _nearest(f"{option} {path}", path))


def refuse_overwriting(sources: Iterable[Path], results: Iterable[Path]) -> None:
    """Refuse to write a result over a file that it is computed from.

    Raises:
        UserError: One of the results is a source.
    """
    written = {path.resolve() for path in results}
    for source in sources:
        if source.is_file() and source.resolve() in written:
            raise UserError(f"{source}: the results would overwrite this input; choose another --out or --json")


def _nearest(origin: str, path: Path) -> Path:
    """The path itself if it exists, else the nearest of its parents that does."""
    try:
        return next(one for one in (path, *path.absolute().parents) if one.exists())
    except OSError as error:
        raise UserError(f"{origin}: {error.strerror}") from error


def _check_folder(origin: str, folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{origin}: {folder} is a file, expected a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{origin}: no permission to write into {folder}")
