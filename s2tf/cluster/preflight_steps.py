"""What is looked at before a step of a chain is queued: its command line, and the files that a command reads."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from s2tf.cli import parse
from s2tf.cluster.preflight import check_prior, plain_folders
from s2tf.cluster.request import is_there
from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.runs.chain import Step

WRITTEN = {"out", "json", "sheet", "runs"}
"""Arguments of any command that name what it writes, or where there may be runs by then."""
NAMED = {"faces", "attributes", "perceptual", "results"}
"""Arguments of the form NAME=PATH, or NAME=PATH,PATH; a name alone is no file."""


class _Strict(argparse.ArgumentParser):
    """Raises what argparse would print before it leaves the program; `--help`, which leaves it too, is unknown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "add_help": False})

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        raise UserError(message)


def check_options(step: "Step") -> None:
    """Check the command line of a step that trains.

    Raises:
        UserError: it has an option, which the job would not get: it trains by its config alone.
    """
    parse(step.arguments, _Strict)
    options = {word.partition("=")[0] for word in step.template if word.startswith("--")} - {"--runs"}
    if options:
        raise UserError(
            f"{min(options)}: a training is queued without options, expected key=value; how often it saves is "
            "S2TF_SAVE_EVERY in the cluster's `environment`"
        )


def check_command(words: Sequence[str], promised: Sequence[Path] = ()) -> None:
    """Check a command that is no training without running it.

    Args:
        words: the command and its arguments.
        promised: folders that other jobs make before.

    Raises:
        UserError: the command does not take these arguments, or a file that it reads is neither there nor made before.
    """
    args = parse(words, _Strict)
    for name, path in _read(args):
        if not is_there(path, promised):
            raise UserError(f"{name} is {str(path)!r}: no such file or folder, and no step before it makes it")
    if args.command == "prior":
        check_prior(compose(args.experiment, args.overrides), promised)


def _read(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """What a command reads, by the name of the argument: each that is a path and names nothing that is written."""
    for name, value in vars(args).items():
        if name in WRITTEN or (args.command, name) == ("generate", "portrait"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path):
                yield name, one
            elif name in NAMED and "=" in str(one):
                yield from ((name, Path(path)) for path in one.partition("=")[2].split(","))
    # These are texts: a number of speakers, an address.
    if args.command == "prepare" and args.dataset != "synthetic":
        yield "source", Path(args.source)
    if args.command == "evaluate" and getattr(args, "shards", None) is not None:
        yield from (("shards", Path(folder)) for folder in plain_folders(args.shards))
