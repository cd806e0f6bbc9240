"""MkDocs hook: the page of commands, written from their own parsers when the site is built."""

import argparse
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from mkdocs.structure.files import File, Files

from s2tf import cli

PAGE = "reference/commands.md"
HEAD = """# Commands

Written from the commands' own parsers. A command that divides its work takes `--part I/N`, one that produces numbers
`--json FILE`.
"""


def on_files(files: Files, config: Any) -> Files:
    """Add the generated page to the site."""
    files.append(File.generated(config, PAGE, content=commands_page()))
    return files


def commands_page() -> str:
    """Return the page of all commands as Markdown."""
    sections = [section(name, parser) for name, parser in parsers("", cli.COMMANDS)]
    return "\n".join([HEAD, *sections])


def parsers(package: str, commands: Mapping[str, str]) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command with its parser; sub-commands as `evaluate run`.

    Args:
        package: Prefix of the modules, such as `evaluate.`.
        commands: Command -> module.
    """
    for command, name in commands.items():
        module = importlib.import_module(f"s2tf.commands.{package}{name}")
        title = f"{package.replace('.', ' ')}{command}"
        if hasattr(module, "SUBCOMMANDS"):
            yield from parsers(f"{package}{name}.", module.SUBCOMMANDS)
            continue
        parser = argparse.ArgumentParser(prog=f"s2tf {title}", description=(module.__doc__ or "").splitlines()[0])
        module.add_arguments(parser)
        yield title, parser


def section(name: str, parser: argparse.ArgumentParser) -> str:
    """Return a command's summary and a table of its arguments."""
    lines = [f"## s2tf {name}", "", parser.description or "", "", "| argument | meaning |", "|---|---|"]
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS:
            lines.append(f"| {_usage(action, parser)} | {_meaning(action, parser)} |")
    return "\n".join([*lines, ""])


def _usage(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    formatter = parser._get_formatter()
    if not action.option_strings:
        words = formatter._format_args(action, formatter._get_default_metavar_for_positional(action))
    elif action.nargs == 0:
        words = action.option_strings[-1]
    else:
        values = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
        words = f"{action.option_strings[-1]} {values}"
    # A pipe in code does not end a cell.
    return f"`{words}`"


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    required = action.required and bool(action.option_strings)
    return (text + (" (required)" if required else "")).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
