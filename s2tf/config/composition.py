"""Composition of experiment YAMLs into one plain dictionary: `base:` files, deep merge, overrides and interpolation.

OmegaConf composes, LightningCLI validates: the result of `compose` has no `base`, `vars` or `${...}` left.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2tf.config.experiments import EXPERIMENTS, find_experiment
from s2tf.config.fields import read_fields
from s2tf.config.identity import parent, with_new_names
from s2tf.config.scalars import Plain, read_text, read_yaml, values
from s2tf.errors import UserError

EXPERIMENT_KEYS = ("seed_everything", "trainer", "model", "data", "prior", "tracking")
MAY_BE_EMPTY = ("prior", "tracking")
"""Sections that `null` leaves out."""
LABEL = re.compile(r"\w+=")
NOTHING = "none"
"""Value for no file in `+name=none`."""
VARIABLE = re.compile(r"\$\{\s*vars\.([^\s.{}\[\]:]+)")


def compose(path: str | Path, overrides: Sequence[str] = (), missing: str | None = None) -> dict[str, Any]:
    """Compose the experiment at `path`: merge its bases, apply `key=value` overrides, fill in variables.

    A file may begin with `base: other.yaml`, relative to itself, or with a list of bases; later bases win. Mappings
    merge deeply, lists are replaced, and if `class_path` changes, the base's `init_args` are dropped. `vars:` holds
    shared values, used as `${vars.name}`.

    Args:
        path: The experiment's file, or its short name (`find_experiment`).
        overrides: `key=value`, or `+FILE.yaml` for all entries of a file, applied in the given order. As a parameter of
            a sweep the file has a name, `+name=FILE.yaml`, and `+name=none` changes nothing.
        missing: Value for every required value (`???`) that is not given, or None to raise an error for it.

    Raises:
        UserError: A file is missing or not a mapping, bases form a cycle, an override is malformed or names an
            unknown key, a variable is unused or undefined, or a required value (`???`) is not given.
    """
    # Merge the files, then apply the overrides in their order.
    read: set[str] = set()
    tree = _load(find_experiment(path), (), read)
    for override in overrides:
        if override.startswith("+"):
            file = LABEL.sub("", override[1:])
            tree = tree if file == NOTHING else merge(tree, _load(find_experiment(file), (), read))
        else:
            tree = _override(tree, override)
    # Fill in variables and check required values.
    tree = _check_variables(tree, read, path)
    if missing is not None:
        tree = _given(tree, missing)
    try:
        filled = OmegaConf.create(_for_omegaconf(tree), flags={"allow_objects": True})
        config = OmegaConf.to_container(filled, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(_explain(path, error, overrides)) from error
    assert isinstance(config, dict)
    # Only the sections of an experiment are allowed.
    config.pop("vars", None)
    unknown = [key for key in config if key not in EXPERIMENT_KEYS]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected one of {', '.join(EXPERIMENT_KEYS)}")
    _check_sections(config, path, overrides)
    return read_fields({str(key): value for key, value in config.items()})


def _check_sections(config: Mapping[Any, Any], path: str | Path, overrides: Sequence[str]) -> None:
    """Refuse a section that is no mapping, and a class path that is no text; names the override that made it so."""
    for key in EXPERIMENT_KEYS[1:]:
        if key not in config or (config[key] is None and key in MAY_BE_EMPTY):
            continue
        section = config[key]
        touched = [text for text in overrides if text.partition("=")[0].split(".")[0] == key]
        where = f"override {touched[-1]!r}" if touched else str(path)
        if not isinstance(section, Mapping):
            found = "nothing" if section is None else repr(values(section))
            raise UserError(f"{where}: {key} is {found}, expected a mapping of its settings")
        if key == "model" and "class_path" not in section:
            raise UserError(f"{where}: model has no class_path, expected the class of a stage, such as a.b.Class")
        name = str(section.get("class_path", "a.Class"))
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", name):
            raise UserError(f"{where}: {key}.class_path is {name!r}, expected the path of a class, such as a.b.Class")


def _given(tree: Any, value: str) -> Any:
    """Return a copy of the tree with `value` for every `???`."""
    if isinstance(tree, dict):
        return {key: _given(item, value) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_given(item, value) for item in tree]
    return value if isinstance(tree, str | Plain) and str(tree) == "???" else tree


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Merge `overlay` into a copy of `base`, deeply; a changed `class_path` drops the `init_args` of the old class."""
    merged = dict(base)
    changed = "class_path" in overlay and "class_path" in base and overlay["class_path"] != base["class_path"]
    if changed:
        merged.pop("init_args", None)
    for key, value in overlay.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def _load(path: Path, parents: tuple[Path, ...], read: set[str]) -> dict[str, Any]:
    """Merge `path` with its bases; adds to `read` the variables to which the files refer."""
    path = path.resolve()
    if path in parents:
        chain = " -> ".join(str(parent) for parent in (*parents, path))
        raise UserError(f"{path}: its `base:` files form a cycle: {chain}")
    # Read the file alone. Tests hold the scalars of files that come with s2tf to their fields.
    tree = read_yaml(path)
    tree = values(tree) if path.is_relative_to(EXPERIMENTS.resolve()) else tree
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected a mapping at the top level")
    bases = values(tree.pop("base", None)) or []
    read |= _references(tree)
    # Merge its bases, then the file.
    merged: dict[str, Any] = {}
    for base in bases if isinstance(bases, list) else [bases]:
        merged = merge(merged, _load(_find_base(path, str(base)), (*parents, path), read))
    return merge(merged, with_new_names({str(key): value for key, value in tree.items()}, str(path)))


def _find_base(path: Path, base: str) -> Path:
    """Find the file of a `base:`: relative to `path`, or by its short name."""
    beside = path.parent / base
    if beside.is_file():
        return beside
    if not Path(base).is_absolute() and (EXPERIMENTS / base).is_file():
        return EXPERIMENTS / base
    raise UserError(
        f"{beside}: this experiment file, a `base:` of {path}, does not exist; also tried {EXPERIMENTS / base}"
    )


def _override(tree: dict[str, Any], override: str) -> dict[str, Any]:
    """Merge an override into a copy of the tree."""
    key, equals, text = override.partition("=")
    names = key.split(".")
    if not equals or not all(names):
        raise UserError(f"override {override!r}: expected key=value, such as model.init_args.lr=1e-4")
    # A variable must be known, whichever form of Unicode its name has.
    if names[0] == "vars":
        variables = {unicodedata.normalize("NFC", name): name for name in tree.get("vars") or {}}
        name = unicodedata.normalize("NFC", ".".join(names[1:2]))
        if name not in variables:
            raise UserError(
                f"override {override!r}: unknown variable, expected one of: {', '.join(sorted(variables)) or 'none'}"
            )
        names[1] = variables[name]
    nested: Any = read_text(text, override)
    # An empty mapping changes no other mapping.
    node, last = parent(tree, ".".join(names))
    if isinstance(nested, Plain) and nested.value == {} and isinstance(node.get(last), dict):
        return tree
    for name in reversed(names):
        nested = {name: nested}
    return merge(tree, with_new_names(nested, f"override {override!r}"))


def _for_omegaconf(tree: Any) -> Any:
    """Return a copy in which texts for OmegaConf to read, `???` and those with `${`, are no longer `Plain`."""
    if isinstance(tree, dict):
        return {key: _for_omegaconf(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_for_omegaconf(item) for item in tree]
    return str(tree) if isinstance(tree, Plain) and (tree.text == "???" or "${" in tree.text) else tree


def _check_variables(tree: dict[str, Any], read: set[str], path: str | Path) -> dict[str, Any]:
    """Return a copy of the tree without unneeded variables, such as those of a part that an ablation switched off.

    Raises:
        UserError: A variable is used but not defined, or defined but used in no file.
    """
    used = _references(tree)
    variables = tree.get("vars") or {}
    undefined, strange = used - set(variables), set(variables) - used - read
    if undefined:
        raise UserError(f"{path}: vars.{sorted(undefined)[0]} is used but not defined under `vars:`")
    if strange:
        raise UserError(f"{path}: vars.{sorted(strange)[0]} is defined under `vars:` but never used: a typo?")
    return {**tree, "vars": {name: value for name, value in variables.items() if name in used}}


def _references(tree: Any) -> set[str]:
    return set(VARIABLE.findall(json.dumps(tree, default=str, ensure_ascii=False)))


def _explain(path: str | Path, error: OmegaConfBaseException, overrides: Sequence[str]) -> str:
    """Name the key, and the override if its text has the `${...}` that cannot be filled in."""
    key, cause = getattr(error, "full_key", None) or "?", str(error).splitlines()[0]
    if "Missing mandatory value" in cause or "missing" in type(error).__name__.lower():
        return f"{path}: {key} must be given (it is `???`): add {key}=VALUE to the command"
    given = [one for one in overrides if "${" in one]
    blamed = [one for one in given if any(name and name in one for name in re.findall(r"'(.+?)'", cause))] or given
    if blamed:
        return f"override {blamed[-1]!r}: {key}: {cause}; a text with `${{` that is no variable needs `\\${{`"
    return f"{path}: {key}: {cause}"
