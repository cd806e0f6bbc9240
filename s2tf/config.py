"""Composition of experiment YAMLs into one plain dictionary: `base:` files, deep merge, overrides and interpolation.

OmegaConf composes, LightningCLI validates: the result of `compose` has no `base`, `vars` or `${...}` left.
"""

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2tf.errors import UserError


def packaged_folder(name: str) -> Path:
    """Return a folder of files that come with s2tf: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parents[1] / name


EXPERIMENTS = packaged_folder("experiments")
"""Folder of experiment YAMLs, which also contains the YAMLs of chains and sweeps."""
EXPERIMENT = "experiment="
EXPERIMENT_KEYS = ("seed_everything", "trainer", "model", "data", "prior", "tracking")
RENAMED = {
    "model.init_args.weights.elsewhere": "outside_mouth",
    "model.init_args.weights.reading": "motion_reader",
}
"""Old key, with its parents -> new name. Both are read, and `identity_hash` uses the old name, so that a run keeps its
folder."""
NOT_IDENTITY = (
    "tracking",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.logger",
    "trainer.callbacks",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.enable_checkpointing",
    "trainer.log_every_n_steps",
    "data.init_args.num_workers",
    "model.init_args.compile",
    "model.init_args.diffusion.init_args.unet.init_args.gradient_checkpointing",
)
"""Keys for the place and speed of the computation: a run may change them and resume."""
LABEL = re.compile(r"\w+=")
NOTHING = "none"
"""Value for no file in `+name=none`."""
VARIABLE = re.compile(r"\$\{\s*vars\.(\w+)")


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
        config = OmegaConf.to_container(OmegaConf.create(tree), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(_explain(path, error)) from error
    assert isinstance(config, dict)
    # Only the sections of an experiment are allowed.
    config.pop("vars", None)
    unknown = [key for key in config if key not in EXPERIMENT_KEYS]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected one of {', '.join(EXPERIMENT_KEYS)}")
    return {str(key): value for key, value in config.items()}


MOVED = {"paper.yaml": "chains/paper.yaml"}
"""Names of files that an earlier version had elsewhere -> their short names now."""


def find_experiment(name: str | Path, kind: str = "experiment") -> Path:
    """Find an experiment, a chain or a sweep by its path or by its short name, such as `demo/conre.yaml`.

    An existing path, relative to the working folder, wins. A short name is relative to the folder of experiments that
    comes with s2tf; it may begin with `experiments/`, like a path in a checkout.

    Args:
        name: The path or short name.
        kind: Noun for the message: `experiment`, `chain` or `sweep`.

    Raises:
        UserError: The file does not exist; the message lists the paths that were tried.
    """
    path = Path(name)
    tried = [path]
    if not path.is_absolute():
        tried.append(EXPERIMENTS / path)
        if path.parts[:1] == (EXPERIMENTS.name,):
            tried.append(EXPERIMENTS.parent / path)
    found = next((one for one in tried if one.is_file()), None)
    if found is None:
        others = f"; also tried {' and '.join(map(str, tried[1:]))}" if tried[1:] else ""
        others += f"; it is now {MOVED[path.name]}" if path.name in MOVED else ""
        raise UserError(f"{path}: this {kind} file does not exist{others}")
    return found


def named_experiment(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Split the words of a command line into the experiment and its overrides.

    The first word is the experiment, unless there is a word `experiment=FILE.yaml`, as W&B writes it for a sweep that
    compares experiments.
    """
    named = [word for word in words if word.startswith(EXPERIMENT)]
    rest = [word for word in words if word not in named]
    if len(named) > 1:
        raise UserError(f"{' '.join(named)}: expected only one experiment")
    return (Path(named[0].removeprefix(EXPERIMENT)), rest) if named else (Path(words[0]), list(words[1:]))


def _given(tree: Any, value: str) -> Any:
    """Return a copy of the tree with `value` for every `???`."""
    if isinstance(tree, dict):
        return {key: _given(item, value) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_given(item, value) for item in tree]
    return value if tree == "???" else tree


def identity_hash(config: dict[str, Any]) -> str:
    """Compute the eight hex digits that name a resolved experiment, from all keys except `NOT_IDENTITY`."""
    config = with_old_names(config)
    for dotted in NOT_IDENTITY:
        node, name = _parent(config, dotted)
        node.pop(name, None)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


def with_new_names(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a copy of a config, or of a part of it, in which renamed keys (`RENAMED`) have their new names.

    Raises:
        UserError: Both names of a key are present; the message begins with `where`.
    """
    tree = copy.deepcopy(tree)
    for dotted, new in RENAMED.items():
        node, old = _parent(tree, dotted)
        if old in node and new in node:
            raise UserError(f"{where}: {dotted} is the old name of {new}: both are given, expected one of them")
        if old in node:
            node[new] = node.pop(old)
    return tree


def with_old_names(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a config in which renamed keys (`RENAMED`) have their old names, which hashes need."""
    tree = copy.deepcopy(tree)
    for dotted, new in RENAMED.items():
        node, old = _parent(tree, dotted)
        if new in node:
            node[old] = node.pop(new)
    return tree


def _parent(tree: Any, dotted: str) -> tuple[dict[str, Any], str]:
    """Return the mapping that holds the last key of a dotted name, empty if it does not exist, and that key."""
    *parents, last = dotted.split(".")
    for parent in parents:
        tree = tree.get(parent) if isinstance(tree, dict) else None
    return (tree if isinstance(tree, dict) else {}), last


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
    # Read the file alone.
    try:
        loaded = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a readable YAML file: {str(error).splitlines()[0]}") from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{path}: expected a mapping at the top level")
    tree = OmegaConf.to_container(loaded, resolve=False)
    assert isinstance(tree, dict)
    bases = tree.pop("base", None) or []
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
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"override {override!r}: expected key=value, such as model.init_args.lr=1e-4")
    parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
    assert isinstance(parsed, dict)
    names = key.split(".")
    if names[0] == "vars" and (len(names) < 2 or names[1] not in tree.get("vars", {})):
        known = ", ".join(sorted(tree.get("vars", {}))) or "none"
        raise UserError(f"override {override!r}: unknown variable, expected one of: {known}")
    nested: Any = parsed["value"]
    for name in reversed(names):
        nested = {name: nested}
    return merge(tree, with_new_names(nested, f"override {override!r}"))


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
    return set(VARIABLE.findall(json.dumps(tree, default=str)))


def _explain(path: str | Path, error: OmegaConfBaseException) -> str:
    key = getattr(error, "full_key", None) or "?"
    if "Missing mandatory value" in str(error) or "missing" in type(error).__name__.lower():
        return f"{path}: {key} must be given (it is `???`): add {key}=VALUE to the command"
    return f"{path}: {key}: {str(error).splitlines()[0]}"
