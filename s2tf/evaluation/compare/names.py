"""Names of the systems whose videos are compared."""

from collections.abc import Sequence
from pathlib import Path

from s2tf.errors import UserError
from s2tf.tables.names import normal_name


def system_names(paths: Sequence[Path], given: str | None) -> list[str]:
    """Return the names of `--names`, or the files' names, with their folders where two files have the same name.

    Raises:
        UserError: The number of names differs from the number of videos, or two names are the same.
    """
    if given is None:
        names = [normal_name(path.stem) for path in paths]
        if len(set(names)) < len(names):
            names = [normal_name(f"{path.absolute().parent.name}/{path.stem}") for path in paths]
        advice = "give each its own name by --names A,B,..."
    else:
        names = [normal_name(name.strip()) for name in given.split(",")]
        advice = "expected different names"
    if len(names) != len(paths):
        raise UserError(f"--names {given}: {len(names)} names, expected one for each of the {len(paths)} videos")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"several videos have the name {', '.join(twice)}: {advice}")
    return names
