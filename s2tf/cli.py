"""The `s2tf` command: one sub-command per file of `s2tf.commands`."""

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMANDS = {
    "demo": "demo",
    "prepare": "prepare",
    "shards": "shards",
    "fit": "fit",
    "validate": "validate",
    "test": "test",
    "prior": "prior",
    "evaluate": "evaluate",
    "compare": "compare",
    "chain": "chain",
    "submit": "submit",
    "sweep": "sweep",
    "runs": "runs",
    "features": "features",
    "codes": "codes",
    "judges": "judges",
    "import": "import_weights",
    "assemble": "assemble",
    "portrait": "portrait",
    "animate": "animate",
    "generate": "generate",
    "report": "report",
    "dashboard": "dashboard",
    "bench": "bench",
}
"""Sub-command -> module of `s2tf.commands`; in the order of `s2tf --help`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, what the command returns, or a user's error's, mostly 2."""
    from s2tf.errors import UserError

    # Read when torch is loaded. Threads that spin while they wait take the cores from the loader's processes: on two
    # busy cores a training step of the demo took 5.5 s with spinning threads and 0.8 s with sleeping ones.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parsed = parse(arguments)
    parsed.said = ["s2tf", *arguments]
    try:
        return parsed.run(parsed) or 0
    except (UserError, FileNotFoundError) as error:
        print(f"s2tf {parsed.command}: {error}", file=sys.stderr)
        return error.status if isinstance(error, UserError) else UserError.status


def parse(arguments: Sequence[str], parser_class: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> Any:
    """A command line as its command takes it, without running it.

    Args:
        arguments: the command and its words.
        parser_class: another one may do else than leave the program where something is wrong.

    Returns:
        The command's arguments, with its function `run` among them.
    """
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    parser = parser_class(prog="s2tf", description="From speech alone to a talking face.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, module_name in COMMANDS.items():
        summary = _summary(module_name)
        subparser = subparsers.add_parser(command, help=summary, description=summary)
        # Only the command that runs is imported, so that `s2tf --help` answers at once.
        if command == name:
            module = importlib.import_module(f"s2tf.commands.{module_name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    parsed, rest = parser.parse_known_args(arguments)
    # argparse takes all of `key=value ...` at once: those that stand after an option are left over.
    if rest and (any(word.startswith("-") for word in rest) or not hasattr(parsed, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides = [*parsed.overrides, *rest]
    return parsed


def _summary(module_name: str) -> str:
    """The first line of a command's docstring, read without importing it."""
    source = (Path(__file__).parent / "commands" / f"{module_name}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
