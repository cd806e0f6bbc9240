"""Composition of experiment YAMLs: `base:` files, deep merge, overrides and interpolation, to one plain dictionary.

OmegaConf composes, LightningCLI validates: what comes out of `compose` has no `base`, `vars` or `${...}` left.
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

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
"""The package of experiment YAMLs."""
EXPERIMENT = "experiment="
EXPERIMENT_KEYS = ("seed_everything", "trainer", "model", "data", "prior", "tracking")
# Where and how fast a run is computed, not what: the same experiment may change these and resume.
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
LABEL = re.compile(r"\w+=")
NOTHING = "none"
"""In the place of a file that would go on top."""
VARIABLE = re.compile(r"\$\{\s*vars\.(\w+)")


def compose(path: str | Path, overrides: Sequence[str] = (), missing: str | None = None) -> dict[str, Any]:
    """The experiment at `path` with its bases merged, `key=value` overrides applied and variables filled in.

    A file may begin with `base: other.yaml`, relative to itself, or a list of bases of which later ones win. Mappings
    merge deeply, lists are replaced, and where `class_path` changes, the base's `init_args` are dropped. `vars:` holds
    shared values, used as `${vars.name}`.

    Args:
        path: the experiment.
        overrides: `key=value`, and `+FILE.yaml`, whose entries go on top of the experiment's; in the order given. As a
            parameter of a sweep the latter has a name, `+name=FILE.yaml`, and `+name=none` is nothing on top.
        missing: put in the place of every value that must be given (`???`); None: it is an error that one was not.

    Raises:
        UserError: a file is missing or not a mapping, bases form a cycle, an override is malformed or names an
            unknown key, a variable is unused or undefined, or a value that must be given (`???`) was not.
    """
    read: set[str] = set()
    tree = _load(Path(path), (), read)
    for override in overrides:
        if override.startswith("+"):
            file = LABEL.sub("", override[1:])
            tree = tree if file == NOTHING else merge(tree, _load(Path(file), (), read))
        else:
            tree = _override(tree, override)
    tree = _check_variables(tree, read, path)
    if missing is not None:
        tree = _given(tree, missing)
    try:
        config = OmegaConf.to_container(OmegaConf.create(tree), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(_explain(path, error)) from error
    assert isinstance(config, dict)
    config.pop("vars", None)
    unknown = [key for key in config if key not in EXPERIMENT_KEYS]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected one of {', '.join(EXPERIMENT_KEYS)}")
    return {str(key): value for key, value in config.items()}


def named_experiment(words: Sequence[str]) -> tuple[Path, list[str]]:
    """The experiment and the overrides among the words of a command line.

    The first word is the experiment, unless one is `experiment=FILE.yaml`: so W&B writes it where a sweep compares
    experiments.
    """
    named = [word for word in words if word.startswith(EXPERIMENT)]
    rest = [word for word in words if word not in named]
    if len(named) > 1:
        raise UserError(f"{' '.join(named)}: expected one experiment")
    return (Path(named[0].removeprefix(EXPERIMENT)), rest) if named else (Path(words[0]), list(words[1:]))


def _given(tree: Any, value: str) -> Any:
    """The tree with `value` for every `???`."""
    if isinstance(tree, dict):
        return {key: _given(item, value) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_given(item, value) for item in tree]
    return value if tree == "???" else tree


def identity_hash(config: dict[str, Any]) -> str:
    """Eight hex digits that name a resolved experiment; what cannot change its results (`NOT_IDENTITY`) is left out."""
    config = copy.deepcopy(config)
    for dotted in NOT_IDENTITY:
        *parents, last = dotted.split(".")
        node: Any = config
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `base`, deeply; a changed `class_path` drops the `init_args` that belonged to the old class."""
    merged = dict(base)
    changed = "class_path" in overlay and "class_path" in base and overlay["class_path"] != base["class_path"]
    if changed:
        merged.pop("init_args", None)
    for key, value in overlay.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def _load(path: Path, parents: tuple[Path, ...], read: set[str]) -> dict[str, Any]:
    """The merged tree of `path` and its bases; adds to `read` the variables that any of the files refers to."""
    path = path.resolve()
    if path in parents:
        chain = " -> ".join(str(parent) for parent in (*parents, path))
        raise UserError(f"{path}: its `base:` files form a cycle: {chain}")
    if not path.is_file():
        asked = f" (the `base:` of {parents[-1]})" if parents else ""
        raise UserError(f"{path}: no such experiment file{asked}")
    try:
        loaded = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable YAML file: {str(error).splitlines()[0]}") from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{path}: expected a mapping at the top level")
    tree = OmegaConf.to_container(loaded, resolve=False)
    assert isinstance(tree, dict)
    bases = tree.pop("base", None) or []
    read |= _references(tree)
    merged: dict[str, Any] = {}
    for base in bases if isinstance(bases, list) else [bases]:
        merged = merge(merged, _load(path.parent / str(base), (*parents, path), read))
    return merge(merged, {str(key): value for key, value in tree.items()})


def _override(tree: dict[str, Any], override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"override {override!r}: expected key=value, such as model.init_args.lr=1e-4")
    parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
    assert isinstance(parsed, dict)
    names = key.split(".")
    if names[0] == "vars" and (len(names) < 2 or names[1] not in tree.get("vars", {})):
        known = ", ".join(sorted(tree.get("vars", {}))) or "none"
        raise UserError(f"override {override!r}: unknown variable, this experiment has: {known}")
    nested: Any = parsed["value"]
    for name in reversed(names):
        nested = {name: nested}
    return merge(tree, nested)


def _check_variables(tree: dict[str, Any], read: set[str], path: str | Path) -> dict[str, Any]:
    """The tree without the variables that it does not need, such as those of a part that an ablation switched off."""
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
