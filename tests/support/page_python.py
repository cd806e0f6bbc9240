"""Checks of a block of Python that a page shows: its imports, the names and the arguments that it uses exist."""

import ast
import importlib
import inspect
from typing import Any


def check_python_block(text: str) -> None:
    """Compile a block, import what it imports, and compare every name and keyword with the real API.

    A name that is bound to something else than an import, such as the result of a call, is not followed: the test that
    runs the block does that.

    Raises:
        SyntaxError: It does not compile.
        ImportError: A module or name of an import does not exist.
        AttributeError: A module or class has no such name.
        TypeError: A function takes no such argument.
    """
    tree = ast.parse(text)
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        names |= _imported(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _resolve(node, names)
        elif isinstance(node, ast.Call):
            function = _resolve(node.func, names)
            if function is not None:
                _check_arguments(function, node)


def _imported(node: ast.AST) -> dict[str, Any]:
    """Import what a statement imports; returns the objects by the names that the block uses."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            importlib.import_module(alias.name)
        bound = [(one.asname or one.name.partition(".")[0], one) for one in node.names]
        return {name: importlib.import_module(one.name if one.asname else name) for name, one in bound}
    if isinstance(node, ast.ImportFrom):
        module = importlib.import_module(node.module or "")
        missing = [one.name for one in node.names if not hasattr(module, one.name)]
        if missing:
            raise ImportError(f"{node.module} has no name {missing[0]!r}")
        return {one.asname or one.name: getattr(module, one.name) for one in node.names}
    return {}


def _resolve(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return the object that a dotted name means, or None if it does not begin with an imported name."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = _resolve(node.value, names)
    return None if owner is None else getattr(owner, node.attr)


def _check_arguments(function: Any, call: ast.Call) -> None:
    """Bind the arguments of a call to the function's parameters."""
    if any(isinstance(argument, ast.Starred) for argument in call.args) or any(
        one.arg is None for one in call.keywords
    ):
        return
    try:
        signature = inspect.signature(function)
    except ValueError:
        return
    signature.bind(*call.args, **{str(one.arg): one.value for one in call.keywords})
