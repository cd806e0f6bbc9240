"""Reads the YAML files of a chain, and joins them.

A chain YAML has `seeds`, `vars` and `steps`, a command line by name:

    steps:
      conre: fit ../conre.yaml vars.shards={shards} seed_everything={seed}
      prior: prior ../prior.yaml vars.conre={conre}/networks --out {out}

`{conre}` is the result of the step of that name: the run folder of a `fit`, else the step's own folder, which is
`{out}` in its own command line. A step with `{seed}` runs once for each seed, and so do the steps that need it.
Words that end in `.yaml` are files beside the chain's own, or short names of experiments. Every `fit` gets the same
`--runs`, so that all runs of a chain are in one folder, which is `{runs}`.

A step may also be a mapping: `run` is its command line, and

    after: [a]       steps whose results it reads without naming them
    after_any: [b]   steps that must have ended first, be it with an error: `{needs}`, a word of its own, then stands
                     for the folders of all steps that it waits for
    once: true       run once for all seeds: an option that names steps of a seed is given once for each seed
    job: {parts: 2}  its settings for a cluster (`s2tf submit chain`): keys of `slurm/clusters/*.yaml`, and
                     `parts` (divide a command with the option `--part I/N` among the tasks of an array) and
                     `gpus` (number of GPUs for a command that is no training)

A chain may be divided into files, and one may change another:

    base: [data.yaml, first.yaml]   chains whose vars and steps come first; a file that is named twice is read once
    change: {score_*: --steps 2}    words for the commands of steps, found by name or by a pattern: an option takes the
                                    place of the same one, with its values, and other words stand before the options
    change: {score_*: {job: {gpus: 2}}}    other settings for a cluster
"""

import fnmatch
import os
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from s2tf.config import EXPERIMENTS, clear_values, find_experiment, read_yaml
from s2tf.errors import UserError

KEYS = ("seeds", "base", "vars", "steps", "change")
STEP_KEYS = ("run", "after", "after_any", "once", "job")


@dataclass(frozen=True)
class Entry:
    """An entry of `steps`."""

    name: str
    path: Path
    """File of the entry, which the message of an error names."""
    words: list[str]
    """Words of its command, whose names in braces are not filled in yet."""
    options: Mapping[str, Any]
    """Its `after`, `after_any`, `once` and `job`."""

    @property
    def fields(self) -> list[str]:
        """Names in braces."""
        return fields_of(self.words)


@dataclass
class ChainTree:
    """Content of a chain's file with that of its bases."""

    seeds: Sequence[int] = (0,)
    variables: dict[str, object] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)


def fields_of(words: Sequence[str]) -> list[str]:
    """List the names in braces."""
    parts = (part for word in words for part in string.Formatter().parse(word))
    return [name for _, name, _, _ in parts if name is not None]


def by_option(words: Sequence[str]) -> list[list[str]]:
    """Divide a command: the words before its first option, then each option with the words behind it."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    return parts


def read_chain(path: Path, parents: tuple[Path, ...] = ()) -> ChainTree:
    """Read a chain's file over its bases."""
    path = Path(os.path.normpath(path))
    if path in parents:
        raise UserError(f"{path}: its `base:` files form a cycle: {' -> '.join(map(str, (*parents, path)))}")
    tree, result = _read(path), ChainTree()
    # The bases first, each over the one before it, then what this file says itself.
    bases = tree.get("base") or []
    for base in bases if isinstance(bases, list) else [bases]:
        beside = path.parent / str(base)
        below = read_chain(beside if beside.is_file() else find_experiment(str(base), "chain"), (*parents, path))
        result.seeds = below.seeds if below.seeds != (0,) else result.seeds
        result.variables |= below.variables
        result.entries |= below.entries
    result.seeds = tree.get("seeds", result.seeds)
    result.variables |= tree.get("vars") or {}
    result.entries |= {name: _entry(path, name, entry) for name, entry in (tree.get("steps") or {}).items()}
    # Changes of steps that a base, or this file, has.
    for pattern, text in (tree.get("change") or {}).items():
        names = [name for name in result.entries if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            raise UserError(f"{path}: change: no step is named {pattern!r}")
        given = text if isinstance(text, dict) else {"run": text}
        if unknown := sorted(set(given) - {"run", "job"}):
            raise UserError(
                f"{path}: change: {pattern}: unknown key {unknown[0]!r}, expected words, or `run` and `job`"
            )
        words = _words(path, f"change: {pattern}", str(given.get("run", "")))
        for name in names:
            entry = result.entries[name]
            options = {**entry.options, **({"job": given["job"] or {}} if "job" in given else {})}
            result.entries[name] = replace(entry, words=_changed(entry.words, words), options=options)
    return result


def _changed(words: Sequence[str], given: Sequence[str]) -> list[str]:
    """Add words to a command: an option takes the place of the same one, other words stand before the options."""
    (plain, *options), (more, *others) = by_option(words), by_option(given)
    replaced = {option[0] for option in others}
    kept = [option for option in options if option[0] not in replaced]
    return [*plain, *more, *(word for option in (*kept, *others) for word in option)]


def _read(path: Path) -> dict[str, Any]:
    tree = clear_values(read_yaml(path))
    sections = [tree.get(key) or {} for key in ("vars", "steps", "change")] if isinstance(tree, dict) else [None]
    if not all(isinstance(one, dict) for one in sections) or not ("steps" in tree or "base" in tree):
        raise UserError(f"{path} is no chain, expected `steps` with a command line for each name")
    unknown = sorted(set(tree) - set(KEYS))
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}, expected {', '.join(KEYS)}")
    seeds = tree.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{path}: seeds is {seeds!r}, expected a list of numbers")
    return tree


def _entry(path: Path, step: str, entry: Any) -> Entry:
    """Read an entry of the YAML, a command line or a mapping with one."""
    options = entry if isinstance(entry, dict) else {"run": entry}
    unknown = sorted(set(options) - set(STEP_KEYS))
    if unknown or "run" not in options:
        wrong = f"unknown key {unknown[0]!r}" if unknown else "no command line"
        raise UserError(f"{path}: step {step}: {wrong}, expected `run`, optionally {', '.join(STEP_KEYS[1:])}")
    defaults: dict[str, Any] = {"after": [], "after_any": [], "once": False, "job": {}}
    given = {key: options.get(key) or default for key, default in defaults.items()}
    if given["once"] not in (True, False):
        raise UserError(f"{path}: step {step}: once is {given['once']!r}, expected true or false")
    return Entry(step, path, _words(path, f"step {step}", str(options["run"])), given)


def _words(path: Path, where: str, line: str) -> list[str]:
    """Split a command line into words."""
    try:
        words = [_located(word, path.parent) for word in shlex.split(line)]
        for word in words:
            list(string.Formatter().parse(word))
    except ValueError as error:
        raise UserError(f"{path}: {where}: {error}: {line}") from error
    return words


def _located(word: str, folder: Path) -> str:
    """Turn a word that names a file beside the chain into a path from the working folder; other words do not change."""
    if not word.endswith(".yaml") or "=" in word or "{" in word:
        return word
    plus = "+" if word.startswith("+") else ""
    path = os.path.normpath(folder / word[len(plus) :])
    return word if not os.path.isfile(path) and (EXPERIMENTS / word[len(plus) :]).is_file() else f"{plus}{path}"
