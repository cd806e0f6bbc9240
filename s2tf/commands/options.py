"""Options that several commands share, and the checks of their values."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.shards.add_member import CopyReport, OnClip


import os
from collections.abc import Iterable, Mapping

from s2tf.errors import UserError


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number from 1")
    return int(text)


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


def check_out(path: Path | None) -> None:
    """Refuse a folder that could not be made.

    Args:
        path: The folder; None where the command has one of its own.

    Raises:
        UserError: it or a folder above it is a file, or not to be written into.
    """
    if path is None:
        return
    try:
        nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    except PermissionError as error:
        raise UserError(f"--out {path}: {error.strerror}") from error
    if not nearest.is_dir():
        raise UserError(f"--out {path}: {nearest} is a file, expected a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"--out {path}: {nearest} cannot be written into")


def refuse_overwriting(source: Path, results: Iterable[Path]) -> None:
    """Refuse to put a result in the place of what it is made from.

    Raises:
        UserError: one of the results would be the source.
    """
    if source.is_file() and source.resolve() in {path.resolve() for path in results}:
        raise UserError(f"{source}: the results would be written over it: choose another --out, or another --json")


LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
"""The number of a process on its machine, as torchrun and srun give it."""


def local_device(text: str, environment: Mapping[str, str] | None = None) -> str:
    """What `--device` names; `cuda` is the GPU of this process's number on its machine, going round.

    Args:
        text: Such as `cpu`, `cuda` or `cuda:1`; one with a number is meant as it stands.
        environment: In the place of the process's own.

    Raises:
        UserError: It is no device, or not of this machine.
    """
    import torch

    from s2tf.errors import UserError

    try:
        device = torch.device(text)
    except RuntimeError as error:
        raise UserError(f"--device {text}: expected cpu, cuda or cuda:N") from error
    if device.type != "cuda":
        return text
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise UserError(f"--device {text}: torch sees {count} GPUs on this machine")
    if device.index is not None:
        return text
    environment = os.environ if environment is None else environment
    # Where the launcher shows each process a GPU of its own, all of them are number 0.
    number = next((int(environment[name]) for name in LOCAL if name in environment), 0)
    return f"cuda:{number % count}"


def part(text: str) -> tuple[int, int]:
    """`3/64` as the third of 64 parts."""
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}, expected I/N such as 3/64")
    return int(number), int(parts)


def part_done(part: tuple[int, int], out: Path) -> str:
    """The line that a command prints when other parts of its job are not done yet."""
    return f"part {part[0]} of {part[1]} is done; the last part completes {out}"


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is copied where."""
    parser.add_argument("shards", type=Path, help="a shard folder of `s2tf prepare`")
    parser.add_argument("--out", type=Path, required=True, help="the new shard folder")
    parser.add_argument("--device", default="cpu", help="where to compute, such as cuda (%(default)s)")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="I/N", help="do the I-th of N parts (1/1)")


def copy_with_progress(args: argparse.Namespace, what: str, copy: "Callable[[OnClip], CopyReport]") -> int:
    """Show how far it is, and say what was done."""
    from rich.console import Console

    from s2tf.errors import UserError

    console = Console()
    try:
        with console.status("") as status:
            added = copy(lambda done, total: status.update(f"{done} of {total} clips"))
    except ValueError as error:
        raise UserError(str(error)) from error
    silent = f", {added.without} more have no sound and none" if added.without else ""
    before = f", {added.clips - added.written} were there" if added.clips > added.written else ""
    print(f"{added.written - added.without} clips written with {what}{silent}{before}: {args.out}")
    if not added.complete:
        print(part_done(args.part, args.out))
    return 0
