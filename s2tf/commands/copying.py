"""What the commands that write shards again have in common."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.additions import Added

OnClip = Callable[[int, int], None]


def part(text: str) -> tuple[int, int]:
    """`3/64` as the third of 64 parts."""
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}, expected I/N such as 3/64")
    return int(number), int(parts)


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is copied where."""
    parser.add_argument("shards", type=Path, help="a shard folder of `s2tf prepare`")
    parser.add_argument("--out", type=Path, required=True, help="the new shard folder")
    parser.add_argument("--device", default="cpu", help="where to compute, such as cuda (%(default)s)")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="I/N", help="do the I-th of N parts (1/1)")


def copy_with_progress(args: argparse.Namespace, what: str, copy: Callable[[OnClip], "Added"]) -> int:
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
        print(f"part {args.part[0]} of {args.part[1]} is done; the last part completes {args.out}")
    return 0
