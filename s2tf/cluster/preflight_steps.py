"""Checks of a chain's step before it is queued: its command line, and the files that the command reads."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from s2tf.cluster.preflight import check_prior, plain_folders
from s2tf.cluster.resources import is_there
from s2tf.config import compose, find_experiment
from s2tf.errors import UserError
from s2tf.runs.chain import Step

Parse = Callable[[Sequence[str], type[argparse.ArgumentParser]], Any]
"""Parser of a command line, `s2tf.cli.parse`: it is handed in, since nothing below the commands imports them."""
WRITTEN = {"out", "json", "sheet", "runs"}
"""Arguments of any command that name its results, or a folder in which runs may lie by then."""
NAMED = {"faces", "attributes", "perceptual", "results"}
"""Arguments of the form NAME=PATH, or NAME=PATH,PATH; a name alone is no file."""


class _Strict(argparse.ArgumentParser):
    """Parser that raises an error instead of leaving the program; it has no `--help`, which leaves it, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "add_help": False})

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `UserError`."""
        raise UserError(message)


def check_options(step: Step, parse: Parse) -> None:
    """Check the command line of a step that trains.

    Raises:
        UserError: It has an option, which the job would not get: it trains by its config alone.
    """
    parse(step.arguments, _Strict)
    options = {word.partition("=")[0] for word in step.template if word.startswith("--")} - {"--runs"}
    if options:
        raise UserError(
            f"{min(options)}: a training is queued without options, expected key=value; to choose how often it saves, "
            "set S2TF_SAVE_EVERY in the cluster's `environment`"
        )


def check_command(words: Sequence[str], parse: Parse, planned_outputs: Sequence[Path] = ()) -> None:
    """Check a command that is no training without running it.

    Args:
        words: The command and its arguments.
        parse: Parser of command lines.
        planned_outputs: Folders that other jobs make before.

    Raises:
        UserError: The command does not take these arguments, or a file that it reads neither exists nor is made before.
    """
    args = parse(words, _Strict)
    for name, path in _read(vars(args)):
        if not is_there(path, planned_outputs):
            raise UserError(f"{name} is {str(path)!r}: no such file or folder, and no step before it makes it")
    if args.command == "prior":
        check_prior(compose(args.experiment, args.overrides), planned_outputs)


def _read(args: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Yield name and path of what a command reads: every argument that is a path, but for its results."""
    command = args["command"]
    for name, value in args.items():
        if name in WRITTEN or (command, name) == ("generate", "portrait"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path):
                yield name, find_experiment(one) if name == "experiment" else one
            elif name in NAMED and "=" in str(one):
                yield from ((name, Path(path)) for path in one.partition("=")[2].split(","))
    # These are no paths for argparse: a source may also be a number of speakers, shards an address.
    if command == "prepare" and args["dataset"] != "synthetic":
        yield "source", Path(args["source"])
    if command == "evaluate" and args.get("shards") is not None:
        yield from (("shards", Path(folder)) for folder in plain_folders(args["shards"]))
