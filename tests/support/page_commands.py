"""Checks of a command that a page shows, by the program that would run it."""

import argparse
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from s2tf import cli
from s2tf.config import compose, find_experiment
from s2tf.errors import UserError
from s2tf.precompute.face_prior import PriorSettings
from s2tf.runs.build import build, build_parts
from s2tf.runs.chain_file import read_variables

ROOT = Path(__file__).parents[2]
SHELL = {"export", "cd"}
EARLIER = "..."
"""Word that stands for the overrides of the commands before."""


class RefusedError(Exception):
    """Message of a program on a wrong command line."""


class Parser(argparse.ArgumentParser):
    """A parser that raises an error instead of leaving the program, and takes no shortened options."""

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **{"allow_abbrev": False, **settings})

    def error(self, message: str) -> None:  # type: ignore[override]
        raise RefusedError(message)


def check_command(words: Sequence[str], folder: Path = ROOT) -> None:
    """Check one command as far as its program allows without running it.

    Args:
        words: Program and arguments.
        folder: Folder in which the files that the page shows lie.

    Raises:
        RefusedError: No such program, option, file or key.
    """
    program, rest = Path(words[0]), list(words[1:])
    if program.name in CHECKS:
        CHECKS[program.name](rest, folder)
    elif words[0] not in SHELL:
        raise RefusedError(f"no check for the program {words[0]!r}: add one to tests/support/page_commands.py")


def check_s2tf(words: Sequence[str], folder: Path) -> None:
    """Parse the words by the real parser, and compose and check the experiment that they name."""
    words = [word for word in words if word != EARLIER]
    if set(words) & {"--help", "--version"}:
        return
    parsed = cli.parse(words, Parser)
    overrides = [_located(word, folder) for word in getattr(parsed, "overrides", [])]
    try:
        if "experiment" in parsed:
            _check_experiment(parsed.experiment, overrides, prior=parsed.command == "prior")
        elif "chain" in parsed:
            _check_variables(find_experiment(parsed.chain, "chain"), overrides)
        elif "sweep" in parsed:
            for experiment in _experiments_of(find_experiment(parsed.sweep, "sweep")):
                _check_experiment(experiment, overrides)
        if isinstance(getattr(parsed, "metrics", None), str):
            _check_metrics(parsed.metrics)
    except UserError as error:
        raise RefusedError(str(error)) from error


def _located(word: str, folder: Path) -> str:
    """Return an override with the path of a file that the page itself shows."""
    shown = folder / word.removeprefix("+")
    return f"+{shown}" if word.startswith("+") and shown.is_file() else word


def _check_experiment(experiment: str, overrides: Sequence[str], prior: bool = False) -> None:
    config = compose(experiment, overrides, missing="random")
    if prior:
        build_parts(config, prior=PriorSettings)
    else:
        build(config, instantiate=False)


def _check_variables(chain: Path, settings: Sequence[str]) -> None:
    known = read_variables(chain)
    unknown = [word for word in settings if word.partition("=")[0] not in known]
    if unknown:
        raise RefusedError(f"{chain}: unknown variable {unknown[0]!r}, expected one of {', '.join(known)}")


def _experiments_of(sweep: Path) -> list[str]:
    tree = yaml.safe_load(sweep.read_text())
    named = [word for word in tree["command"] if word.endswith(".yaml")]
    return named or tree["parameters"]["experiment"]["values"]


def _check_metrics(names: str) -> None:
    from s2tf.commands.evaluate.videos import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    described = next(action.help or "" for action in parser._actions if "--metrics" in action.option_strings)
    known = {*re.findall(r"\w+", described), "all"}
    unknown = set(names.split(",")) - known
    if unknown:
        raise RefusedError(f"--metrics: {sorted(unknown)}, expected some of: {described}")


def check_torchrun(words: Sequence[str], folder: Path) -> None:
    """Parse torchrun's own options by its parser, and the command of s2tf behind them."""
    from torch.distributed.run import get_args_parser

    parser = get_args_parser()
    parser.__class__, parser.allow_abbrev = Parser, False
    parsed = parser.parse_args(list(words))
    if (parsed.no_python, parsed.module, parsed.training_script) not in (
        (True, False, "s2tf"),
        (False, True, "s2tf.cli"),
    ):
        raise RefusedError(f"torchrun {' '.join(words)}: expected `-m s2tf.cli` or `--no-python s2tf`")
    check_s2tf(parsed.training_script_args, folder)


def check_python(words: Sequence[str], folder: Path) -> None:
    """Parse the words of a script by the script's own parser; nothing of it runs."""
    path = ROOT / words[0]
    if not path.is_file():
        raise RefusedError(f"{words[0]}: no such script")
    specification = importlib.util.spec_from_file_location(f"shown_{path.stem}", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    real, arguments = argparse.ArgumentParser.parse_args, list(words[1:])

    class ParsedError(Exception):
        pass

    def parse_only(parser: Any, *_: Any) -> None:
        parser.__class__, parser.allow_abbrev = Parser, False
        real(parser, arguments)
        raise ParsedError

    argparse.ArgumentParser.parse_args = parse_only  # type: ignore[method-assign, assignment]
    try:
        module.main()
    except ParsedError:
        return
    finally:
        argparse.ArgumentParser.parse_args = real  # type: ignore[method-assign]


def check_pip(words: Sequence[str], folder: Path) -> None:
    """Look up pip's options in its help, extras in the package, and files in the checkout."""
    _check_options("pip", words)
    for extras in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
        unknown = set(extras.split(",")) - _extras()
        if unknown:
            raise RefusedError(f"pip: s2tf has no extra {sorted(unknown)}")
    missing = [word for word in words if word.endswith(".txt") and not (ROOT / word).is_file()]
    if missing:
        raise RefusedError(f"pip: no file {missing}")


def check_make(words: Sequence[str], folder: Path) -> None:
    """Look up the targets in the Makefile."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if set(words) - set(targets):
        raise RefusedError(f"make: no target {sorted(set(words) - set(targets))}")


def check_cluster_script(words: Sequence[str], folder: Path) -> None:
    """Look up the first word in the script of the test cluster."""
    if not re.search(
        rf"^ *{re.escape(words[0])}\)", (ROOT / "tests/cluster_live/cluster.sh").read_text(), re.MULTILINE
    ):
        raise RefusedError(f"tests/cluster_live/cluster.sh: no command {words[0]!r}")


def check_pre_commit(words: Sequence[str], folder: Path) -> None:
    """Compare with the only form that is shown; the program is optional."""
    if list(words) != ["install", "--hook-type", "pre-commit", "--hook-type", "pre-push"]:
        raise RefusedError(f"pre-commit {' '.join(words)}: not known")


def check_copy(words: Sequence[str], folder: Path) -> None:
    """Confirm that the file to copy exists."""
    if not (ROOT / words[0]).is_file():
        raise RefusedError(f"cp: no file {words[0]}")


def _extras() -> set[str]:
    """Read the names of the package's extras; tomllib is missing on Python 3.10."""
    section = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[")[0]
    return set(re.findall(r"^([\w-]+) = \[", section, re.MULTILINE))


@cache
def _help_of(program: str, subcommand: str) -> str:
    command = [sys.executable, "-m", program, *([subcommand] if subcommand else []), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _check_options(program: str, words: Sequence[str]) -> None:
    """Look up the options in the help of a Python program."""
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    subcommand = next((word for word in words[:1] if not word.startswith("-")), "")
    described = _help_of(program, subcommand) if options else ""
    unknown = [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", described)]
    if unknown:
        raise RefusedError(f"{program} {subcommand}: no option {unknown[0]}")


def check_wandb(words: Sequence[str], folder: Path) -> None:
    """Look up the options in W&B's help."""
    _check_options("wandb", words)


def check_pytest(words: Sequence[str], folder: Path) -> None:
    """Take pytest without arguments, as the pages show it in a block."""
    if words:
        raise RefusedError(f"pytest {' '.join(words)}: add a check")


CHECKS: dict[str, Callable[[Sequence[str], Path], None]] = {
    "s2tf": check_s2tf,
    "torchrun": check_torchrun,
    "python": check_python,
    "pip": check_pip,
    "wandb": check_wandb,
    "pytest": check_pytest,
    "make": check_make,
    "cluster.sh": check_cluster_script,
    "pre-commit": check_pre_commit,
    "cp": check_copy,
}


def all_parsers(package: str = "", commands: dict[str, str] | None = None) -> Iterator[tuple[str, Parser]]:
    """Yield every command and sub-command with its parser."""
    for command, name in (cli.COMMANDS if commands is None else commands).items():
        module = importlib.import_module(f"s2tf.commands.{package}{name}")
        title = f"{package.replace('.', ' ')}{command}"
        if hasattr(module, "SUBCOMMANDS"):
            yield from all_parsers(f"{package}{name}.", module.SUBCOMMANDS)
            continue
        parser = Parser(prog=title)
        module.add_arguments(parser)
        yield title, parser


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return all option strings of a parser and of its sub-parsers."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                found |= options_of(one)
    return found
