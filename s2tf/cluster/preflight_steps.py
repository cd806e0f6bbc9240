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
"""Parser of a command line, `s2tf.cli.parse`: an argument, since only the commands may import it."""
WRITTEN = {"out", "json", "sheet", "runs", "steps"}
"""Arguments of all commands for their results, or for folders that earlier steps write whether they succeed or not."""
NAMED = {"faces", "attributes", "perceptual", "results"}
"""Arguments of the form NAME=PATH, or NAME=PATH,PATH; a name without a path is no file."""
WORDS = {"rgb", "bgr", "before_relu", "after_relu"}
"""Words after the path of VGGFace."""


class _Strict(argparse.ArgumentParser):
    """Parser that raises an error instead of ending the program; without `--help`, which would end it too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "add_help": False})

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `UserError`."""
        raise UserError(message)


def parse_strictly(words: Sequence[str], parse: Parse) -> Any:
    """Parse a command line.

    Raises:
        UserError: The command does not exist or has no such arguments.
    """
    return parse(words, _Strict)


def check_options(step: Step, parse: Parse) -> None:
    """Check the command line of a step that trains.

    Raises:
        UserError: The command line has an option; the job reads only the config and would not get it.
    """
    parse_strictly(step.arguments, parse)
    options = {word.partition("=")[0] for word in step.template if word.startswith("--")} - {"--runs"}
    if options:
        raise UserError(
            f"{min(options)}: a training is queued without options, expected key=value; to choose how often it saves, "
            "set S2TF_SAVE_EVERY in the cluster's `environment`"
        )


def check_command(words: Sequence[str], parse: Parse, planned_outputs: Sequence[Path] = ()) -> None:
    """Check a command other than a training, without running it.

    Args:
        words: The command and its arguments.
        parse: Parser of command lines.
        planned_outputs: Folders that earlier jobs will create.

    Raises:
        UserError: The command has no such arguments, or a file that it reads does not exist and no step creates it.
    """
    args = vars(parse_strictly(words, parse))
    for name, path in _read(args):
        if not is_there(path, planned_outputs):
            raise UserError(f"{name} is {str(path)!r}, which does not exist, and no earlier step creates it")
    if args["command"] == "prior":
        check_prior(compose(args["experiment"], args["overrides"]), planned_outputs)


def _read(args: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every file or folder that a command reads: its path arguments, without its results."""
    command = args["command"]
    for name, value in args.items():
        if name in WRITTEN or (command, name) == ("generate", "portrait"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path):
                yield name, find_experiment(one) if name == "experiment" else one
            elif name in NAMED and "=" in str(one):
                words = one.partition("=")[2].split(",")
                yield from ((name, Path(path)) for path in words if path not in WORDS)
    # argparse does not parse these as paths: a source may also be a number of speakers, shards an address.
    if command == "prepare" and args["dataset"] != "synthetic":
        yield "source", Path(args["source"])
    if command == "evaluate" and args.get("shards") is not None:
        yield from (("shards", Path(folder)) for folder in plain_folders(args["shards"]))
