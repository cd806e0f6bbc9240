"""The error that a command reports in one line, and the lines for exceptions of other kinds."""

import linecache
import traceback
from pathlib import Path

PACKAGES = tuple(str(Path(__file__).resolve().parents[1] / name) + "/" for name in ("s2tf", "datamodules"))
"""Folders of our own code."""
OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory")
"""Phrases in torch's messages about memory: on a CPU the exception is only a RuntimeError."""


class UserError(ValueError):
    """Bad input of a user: the message names the file or key, the value and what was expected; exit status 2."""

    status = 2


def require_at_least_one(prefix: str = "", **numbers: int | None) -> None:
    """Refuse a number below 1; None passes.

    Args:
        prefix: Text before the name in the message, such as `--`.
        numbers: The numbers by name.

    Raises:
        ValueError: A number is below 1; the message names it.

    Example:
        >>> require_at_least_one(every=2, clips=0)
        Traceback (most recent call last):
        ...
        ValueError: clips is 0, expected at least 1
    """
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"{prefix}{name} is {number}, expected at least 1")


def explain(error: BaseException) -> str | None:
    """Return the line for an exception that the user can act on; None for one that is probably a bug.

    The user can act on our own errors, on those of the file system, and on a lack of memory.

    Example:
        >>> explain(PermissionError(13, "Permission denied", "a.wav"))
        'a.wav: Permission denied'
    """
    text = str(error).strip()
    if isinstance(error, UserError):
        return _printable(text)
    if isinstance(error, MemoryError) or any(phrase in text.lower() for phrase in OUT_OF_MEMORY):
        return f"not enough memory, expected smaller sizes or numbers: {_one_line(text) or 'MemoryError'}"
    if isinstance(error, OSError):
        if error.errno is None or error.strerror is None:
            return _one_line(text)
        return ": ".join(str(part) for part in (error.filename, error.filename2, error.strerror) if part is not None)
    if text and isinstance(error, (ValueError, TypeError, ImportError)) and _raised_by_us(error):
        return _one_line(text)
    return None


def bug_report(error: BaseException) -> str:
    """Return the line for an exception that is probably a bug: its kind, its message and its place."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(PACKAGES)] or frames
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"unexpected {type(error).__name__}: {_one_line(str(error))}{place}, probably a bug of s2tf"


def _raised_by_us(error: BaseException) -> bool:
    """True for an exception of a `raise` in our code: its message is written for the user."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not frames[-1].filename.startswith(PACKAGES):
        return False
    return linecache.getline(frames[-1].filename, frames[-1].lineno or 0).lstrip().startswith("raise")


def _one_line(text: str) -> str:
    return _printable(" ".join(text.split()))


def _printable(text: str) -> str:
    """Remove control characters, such as those of terminals, which do not belong in a message."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")
