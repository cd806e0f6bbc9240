"""The house rules of docs/design.md that are not arrows: what a command file holds, sizes, circles and words."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("s2tf", "datamodules") for path in (ROOT / package).rglob("*.py"))
COMMANDS = ROOT / "s2tf" / "commands"
SHARED = {"options.py", "console.py", "__init__.py"}
"""Files of `commands/` that are no command."""
LONGEST_FILE, LONGEST_COMMAND, ALL_COMMANDS = 300, 150, 2800
LONG_BODY = 25
LINES_OF_A_BLOCK = 12
LONG_FOR_A_REASON: set[str] = set()
"""Files that may be longer, each with its reason in its docstring."""
OPENINGS = re.compile(r"(What|How|Where|Which|Whether|Who|Whose|Of)\b")
ARGUMENT = re.compile(r"^\s+\w+: Of\b", re.MULTILINE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


def command_files() -> list[Path]:
    return sorted(path for path in COMMANDS.rglob("*.py") if path.name not in SHARED)


@pytest.mark.parametrize("path", command_files(), ids=name)
def test_a_command_defines_its_arguments_its_run_and_private_names(path):
    public = {node.name for node in parsed(path).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert {one for one in public if not one.startswith("_")} == {"add_arguments", "run"}
    targets = [
        target
        for node in parsed(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    assert all(isinstance(target, ast.Name) and target.id.startswith("_") for target in targets)
    assert length(path) <= LONGEST_COMMAND


@pytest.mark.parametrize("path", command_files(), ids=name)
def test_a_command_imports_no_other_command(path):
    taken = {node.module or "" for node in ast.walk(parsed(path)) if isinstance(node, ast.ImportFrom)}
    taken |= {alias.name for node in ast.walk(parsed(path)) if isinstance(node, ast.Import) for alias in node.names}
    own = ".".join(path.parent.relative_to(ROOT).parts)
    shared = {f"{folder}.{file}" for folder in ("s2tf.commands", own) for file in ("options", "console")}
    assert {one for one in taken if one.startswith("s2tf.commands")} <= shared


def test_commands_are_few_lines():
    assert sum(map(length, COMMANDS.rglob("*.py"))) <= ALL_COMMANDS


@pytest.mark.parametrize("path", [path for path in FILES if COMMANDS not in path.parents], ids=name)
def test_an_argparse_namespace_stays_in_the_commands(path):
    annotations = [node.annotation for node in ast.walk(parsed(path)) if isinstance(node, ast.arg)]
    annotations += [node.returns for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)]
    assert not any("Namespace" in ast.dump(one) for one in annotations if one is not None)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_short(path):
    assert length(path) <= LONGEST_FILE or name(path) in LONG_FOR_A_REASON


def body_length(function: ast.FunctionDef) -> int:
    """Lines of a function's body without its docstring, less one."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno if body else 0


def long_functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Functions whose body, without the docstring, has more lines than `LONG_BODY`."""
    for node in ast.walk(parsed(path)):
        checked = isinstance(node, ast.FunctionDef) and not node.name.startswith(("add_", "__init__"))
        if checked and body_length(node) >= LONG_BODY:
            yield node


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_long_function_states_the_intent_of_its_blocks(path):
    """With a comment for about every `LINES_OF_A_BLOCK` lines, at least two."""
    lines = path.read_text().splitlines()
    bare = []
    for one in long_functions(path):
        comments = sum("# " in line for line in lines[one.lineno : one.end_lineno])
        if comments < body_length(one) // LINES_OF_A_BLOCK:
            bare.append((one.name, comments))
    assert not bare


def test_no_module_is_loose_but_those_of_the_design():
    loose = {path.stem for path in (ROOT / "s2tf").glob("*.py")}
    assert loose == {"__init__", "batches", "cli", "errors", "previews"}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_anywhere(path: Path, modules: set[str]) -> Iterator[str]:
    """Modules that a file imports, inside functions too; the public API of `s2tf` is lazy on purpose."""
    for node in [] if path == ROOT / "s2tf" / "__init__.py" else ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (one if one in modules else node.module for one in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_files_import_each_other_in_no_circle():
    modules = {module(path) for path in FILES}
    left = {module(path): set(imports_anywhere(path, modules)) & modules - {module(path)} for path in FILES}
    while free := {one for one, needs in left.items() if not needs & set(left)}:
        left = {one: needs for one, needs in left.items() if one not in free}
    assert not left


def documented(path: Path) -> Iterator[str]:
    """Every docstring of a file, and the strings below its fields and constants."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@pytest.mark.parametrize("path", FILES, ids=name)
def test_docstrings_begin_with_a_noun_or_a_verb(path):
    assert not [text.splitlines()[0] for text in documented(path) if OPENINGS.match(text)]
    assert not [line for text in documented(path) for line in ARGUMENT.findall(text)]
