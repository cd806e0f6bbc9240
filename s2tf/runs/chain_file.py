"""Steps of a chain, from its YAML (`s2tf.runs.chain_yaml`): variables filled in, and each step with those it needs."""

import fnmatch
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from s2tf.config import find_experiment
from s2tf.errors import UserError
from s2tf.runs.chain import NEEDS, OUT, RUNS, Step
from s2tf.runs.chain_yaml import Entry, by_option, fields_of, read_chain


def load_chain(
    path: Path, settings: Sequence[str], out: Path, seeds: Sequence[int] | None = None, to: Sequence[str] = ()
) -> list[Step]:
    """Read the steps of a chain YAML, parents before children, and compose every experiment to find mistakes early.

    Args:
        path: The YAML, or its short name, such as `chains/portraits.yaml`.
        settings: `key=value` for its `vars`.
        out: Folder of the chain.
        seeds: Seeds instead of the YAML's.
        to: Names of the steps that are wanted, with those that they need; empty for all.

    Raises:
        UserError: The file is no chain, a variable is unknown or not given, a step needs a step that does not exist, or
            an experiment does not compose.
    """
    found = find_experiment(path, "chain")
    packaged, path = found != path, found
    tree = read_chain(path)
    if not tree.entries:
        raise UserError(f"{path} is no chain, expected `steps` with a command line for each name")
    chain = _Chain(path, _variables(path, tree.variables, settings), out.resolve(), packaged)
    for entry in _wanted(path, tree.entries, to):
        chain.add(entry, tree.seeds if seeds is None else seeds)
    return list(chain.steps.values())


def read_variables(path: Path) -> dict[str, object]:
    """Read the variables of a chain and of its bases; the value of those that must be given is `???`."""
    return read_chain(find_experiment(path, "chain")).variables


@dataclass(frozen=True)
class _Chain:
    """The steps of a chain while it is read."""

    path: Path
    variables: Mapping[str, str]
    out: Path
    packaged: bool
    steps: dict[tuple[str, int | None], Step] = field(default_factory=dict)
    """Name and seed -> step; the seed is None for a step without a seed."""

    def add(self, entry: Entry, seeds: Sequence[int]) -> None:
        """Add the step of an entry in the YAML, once for each seed if it depends on the seed."""
        # A step that names the seed, or a step of a seed, is done for each.
        if entry.options["once"]:
            entry, seeded = self._for_all(entry, seeds), False
        else:
            seeded = "seed" in entry.fields or any((one, seeds[0]) in self.steps for one in entry.fields)
        for seed in seeds if seeded else [None]:
            template, parents = self._template(entry, seed)
            step = Step(
                entry.name if seed is None else f"{entry.name}-seed{seed}",
                template,
                parents,
                self.out,
                others=tuple(self._before(entry, "after", seed)),
                ended=tuple(self._before(entry, "after_any", seed)),
                job=entry.options["job"],
                packaged=self.packaged,
            )
            step.check()
            self.steps[entry.name, seed] = step

    def _for_all(self, entry: Entry, seeds: Sequence[int]) -> Entry:
        """Write each option that names steps of a seed once for each seed, with the names of that seed's steps."""
        if "seed" in entry.fields:
            raise UserError(f"{entry.path}: step {entry.name}: {{seed}} has no value in a step with once: true")
        words: list[str] = []
        plain, *options = by_option(entry.words)
        for part in [*([word] for word in plain), *options]:
            names = {one: f"{{{one}}}" for one in fields_of(part)}
            of_seed = [one for one in names if (one, seeds[0]) in self.steps]
            for seed in seeds if of_seed else seeds[:1]:
                names |= {one: f"{{{self.steps[one, seed].name}}}" for one in of_seed}
                words += [_formatted(word, names) for word in part]
        return replace(entry, words=words)

    def _template(self, entry: Entry, seed: int | None) -> tuple[tuple[str, ...], dict[str, Step]]:
        """Fill in variables, and return the words and the parents; the parents' results stay as `{name}` for now."""
        # The words are formatted twice: now, and when the parents' results are known.
        escaped = {key: value.replace("{", "{{").replace("}", "}}") for key, value in self.variables.items()}
        runs = str(self.out / RUNS)
        known = {**escaped, "seed": str(seed), "out": OUT, "runs": runs, "needs": NEEDS}
        # Every other name in braces is a step: the step of the same seed, or a step without a seed.
        parents: dict[str, Step] = {}
        by_name = {step.name: step for step in self.steps.values()} if entry.options["once"] else {}
        for one in entry.fields:
            if known.get(one) == "???":
                raise UserError(f"{self.path}: vars.{one} must be given (it is `???`): add {one}=VALUE to the command")
            if one in known:
                continue
            parent = self.steps.get((one, seed)) or self.steps.get((one, None)) or by_name.get(one)
            if parent is None:
                raise UserError(f"{entry.path}: step {entry.name}: {{{one}}} is neither a variable nor an earlier step")
            parents[one] = parent
        for word in entry.words:
            if NEEDS in word and word != NEEDS:
                raise UserError(f"{entry.path}: step {entry.name}: {word}: expected {NEEDS} as a word of its own")
        names = {parent: f"{{{parent}}}" for parent in parents}
        # Braces that stand for themselves are written twice, also for the second time.
        template = [word if word == NEEDS else _formatted(word, {**known, **names}) for word in entry.words]
        return (*template, *(["--runs", runs] if template[0] == "fit" else [])), parents

    def _before(self, entry: Entry, key: str, seed: int | None) -> Iterator[Step]:
        """Find the steps that `after` names: the step of this seed, the step without a seed, or those of all seeds."""
        for before in entry.options[key]:
            matching = list(dict.fromkeys(name for name, _ in self.steps if fnmatch.fnmatchcase(name, before)))
            if not matching:
                raise UserError(f"{entry.path}: step {entry.name}: {key}: {before!r} is no earlier step")
            for one in matching:
                found = [self.steps[place] for place in ((one, seed), (one, None)) if place in self.steps][:1]
                yield from found or [step for (name, _), step in self.steps.items() if name == one]


def _wanted(path: Path, entries: Mapping[str, Entry], to: Sequence[str]) -> list[Entry]:
    """Choose the entries of the wanted steps, and of those that they need."""
    if unknown := [name for name in to if name not in entries]:
        raise UserError(f"{path}: --to {unknown[0]}: expected a step: {', '.join(entries)}")
    wanted = set(to or entries)
    for name in reversed(list(entries)):
        if name in wanted:
            entry = entries[name]
            patterns = [*entry.fields, *entry.options["after"], *entry.options["after_any"]]
            wanted |= {one for one in entries for pattern in patterns if fnmatch.fnmatchcase(one, pattern)}
    return [entry for name, entry in entries.items() if name in wanted]


def _formatted(word: str, values: Mapping[str, str]) -> str:
    """Fill in the names in braces; `{{` and `}}` stay as they are, since the word is formatted once more."""
    parts = []
    for text, name, _, _ in string.Formatter().parse(word):
        parts += [text.replace("{", "{{").replace("}", "}}"), "" if name is None else values[name]]
    return "".join(parts)


def _variables(path: Path, variables: Mapping[str, object], settings: Sequence[str]) -> dict[str, str]:
    values = {name: str(value) for name, value in variables.items()}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in values:
            raise UserError(f"{path}: {setting!r}: expected key=value with a key of: {', '.join(values) or 'none'}")
        values[name] = value
    return values
