"""The `s2tf` command: one sub-command per file of `s2tf.commands`, or a package of sub-commands."""

import argparse
import ast
import importlib
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from s2tf import __version__

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
    "check-faces": "check_faces",
    "chain": "chain",
    "submit": "submit",
    "sweep": "sweep",
    "runs": "runs",
    "features": "features",
    "codes": "codes",
    "attributes": "attributes",
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
"""Command -> module of `s2tf.commands`; in the order of `s2tf --help`.

A module has `add_arguments(parser)` and `run(args)`. A package has sub-commands instead: its `__init__.py` declares
`SUBCOMMANDS`, a mapping of the same form, and may declare `REMOVED`: an option or word that the command once had -> the
command line to write now, and under the empty key the one to write for any other word that is no sub-command.
"""
HELP = ("-h", "--help")
DEBUG = "S2TF_DEBUG"
"""Environment variable: with any value, the traceback of every error is printed."""
BUG_STATUS = 70
"""Exit status after an exception that is probably a bug (EX_SOFTWARE of sysexits.h)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: the command's own (default 0), 2 for bad input, 70 for a bug."""
    # Read when torch is loaded. Threads that spin while they wait take the cores from the loader's processes: on two
    # busy cores a training step of the demo took 5.5 s with spinning threads and 0.8 s with sleeping ones.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A file's name may have letters that the terminal does not know, or bytes that are no letters.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parsed = parse(arguments)
    parsed.argv = ["s2tf", *arguments]
    try:
        # Everything that can be checked beforehand: outputs that could not be written, devices that are absent.
        for check in getattr(parsed, "checks", ()):
            check(parsed)
        return parsed.run(parsed) or 0
    except KeyboardInterrupt:
        print(f"{parsed.prog}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of the output, such as `head`, has ended; nothing can be flushed to it at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        return _report(error, parsed.prog)


def _report(error: Exception, prog: str) -> int:
    """Print the line for an exception; returns the exit status.

    The traceback of a bug goes to a file, so that an hour's work need not be repeated to see it.
    """
    from s2tf.errors import UserError, bug_report, explain

    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    line = explain(error)
    if line is not None:
        print(f"{prog}: {line}", file=sys.stderr)
        return error.status if isinstance(error, UserError) else UserError.status
    with tempfile.NamedTemporaryFile("w", prefix="s2tf-traceback-", suffix=".txt", delete=False) as file:
        file.writelines(traceback.format_exception(error))
    print(
        f"{prog}: {bug_report(error)}: report it with the command and the traceback, which is in {file.name} "
        f"({DEBUG}=1 prints it)",
        file=sys.stderr,
    )
    return BUG_STATUS


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end the program."""
        self.exit(2, f"{self.prog}: error: {message} (see `{self.prog} --help`)\n")


def parse(arguments: Sequence[str], parser_class: type[argparse.ArgumentParser] = Parser) -> Any:
    """Parse a command line without running it.

    Args:
        arguments: The command and its words.
        parser_class: Class of the parsers, such as one that raises an error instead of leaving the program.

    Returns:
        The command's arguments; among them its function `run`, and `prog`, such as `s2tf evaluate videos`.
    """
    parser = parser_class(prog="s2tf", description="From speech alone to a talking face.")
    parser.add_argument("--version", action="version", version=f"s2tf {__version__}")
    command_parser = _add_commands(parser, "command", "", COMMANDS, arguments)
    parsed, rest = parser.parse_known_args(arguments)
    # argparse takes all of `key=value ...` at once: those that stand after an option are left over.
    if rest and (any(word.startswith("-") for word in rest) or not hasattr(parsed, "overrides")):
        command_parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides = [*parsed.overrides, *rest]
    return parsed


def _add_commands(
    parser: argparse.ArgumentParser, dest: str, package: str, commands: Mapping[str, str], words: Sequence[str]
) -> argparse.ArgumentParser:
    """Declare commands; only the one that runs is imported, so that `--help` is quick.

    Args:
        parser: The parser whose sub-commands they are.
        dest: Name of the argument that holds the chosen command.
        package: Prefix of the modules, such as `evaluate.`.
        commands: Command -> module.
        words: The command line, from the command on.

    Returns:
        The parser of the command that runs, or `parser` where there is none.
    """
    found = parser
    chosen = next((index for index, word in enumerate(words) if not word.startswith("-")), len(words))
    subparsers = parser.add_subparsers(dest=dest, required=True, metavar="COMMAND")
    for command, name in commands.items():
        summary = _summary(package + name)
        subparser = subparsers.add_parser(command, help=summary, description=summary)
        if [command] != list(words[chosen : chosen + 1]):
            continue
        module = importlib.import_module(f"s2tf.commands.{package}{name}")
        if hasattr(module, "SUBCOMMANDS"):
            rest = words[chosen + 1 :]
            _refuse_removed(subparser, module, rest)
            found = _add_commands(subparser, "subcommand", f"{package}{name}.", module.SUBCOMMANDS, rest)
        else:
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run, prog=subparser.prog)
            found = subparser
    return found


def _refuse_removed(parser: argparse.ArgumentParser, package: ModuleType, words: Sequence[str]) -> None:
    """Refuse words that do not begin with a sub-command; the message names the new spelling of a removed one."""
    if not words or words[0] in (*package.SUBCOMMANDS, *HELP):
        return
    removed: Mapping[str, str] = getattr(package, "REMOVED", {})
    given = {words[0], *(word.partition("=")[0] for word in words if word.startswith("-"))}
    new = next((removed[old] for old in removed if old in given), removed.get(""))
    hint = f": write `{new}`" if new else ""
    parser.error(f"{words[0]!r} is no sub-command, expected one of {', '.join(package.SUBCOMMANDS)}{hint}")


def _summary(module_name: str) -> str:
    """Return the first line of a command's docstring, read without importing it."""
    path = Path(__file__).parent.joinpath("commands", *module_name.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
