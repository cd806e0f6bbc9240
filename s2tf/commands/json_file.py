"""The file that `--json` names, looked at before the work whose numbers it is to hold."""

from pathlib import Path


def check_json(path: Path | None, out: Path | None) -> None:
    """Refuse a file that could not be written when all is done.

    Args:
        path: The file; None where none is wanted.
        out: A folder that the command makes.

    Raises:
        UserError: it is a folder, or is to lie in one that is not there.
    """
    from s2tf.errors import UserError

    if path is None:
        return
    try:
        is_folder, has_folder = path.is_dir(), path.parent.is_dir()
    except PermissionError as error:
        raise UserError(f"--json {path}: {error.strerror}") from error
    if is_folder:
        raise UserError(f"--json {path}: is a folder, expected a file")
    if not has_folder and path.parent != out:
        raise UserError(f"--json {path}: no such folder {path.parent}")
