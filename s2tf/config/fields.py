"""Typed reading of a composed experiment: the field that a plain scalar reaches decides between its value and its text.

jsonargparse judges: a candidate that it refuses for the field is none. So `vars.shards=0123` is a folder and
`trainer.max_steps=0123` a number.
"""

import copy
import functools
import importlib
import inspect
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from s2tf.config.causes import expectation, innermost_cause
from s2tf.config.scalars import Plain
from s2tf.errors import UserError

Place = tuple[str | int, ...]
SECTIONS = {
    "trainer": "lightning.Trainer",
    "tracking": "s2tf.runs.tracking.Tracking",
    "prior": "s2tf.precompute.face_prior.PriorSettings",
}
"""Section without a `class_path` -> class of its keys."""
PROBE = "any text at all"
"""Stands for any text, to find out if a field takes texts."""


@dataclass(frozen=True)
class Field:
    """An argument of a class, or a key of a section."""

    class_path: str
    name: str
    place: Place
    """Place of its value in the experiment."""

    @property
    def label(self) -> str:
        """Name for messages, such as `data.shards (SpeechPortraitData)`."""
        keys = ".".join(str(key) for key in self.place if key != "init_args")
        return f"{keys} ({self.class_path.rpartition('.')[2]})" if "init_args" in self.place else keys

    @property
    def optional(self) -> bool:
        """True if None is a value of this argument, as far as its annotation says."""
        found, _ = _class_arguments(self.class_path)
        try:
            hint = typing.get_type_hints(found.__init__).get(self.name, Any)
        except NameError:
            return True
        parameter = inspect.signature(found).parameters.get(self.name)
        return hint is Any or type(None) in typing.get_args(hint) or parameter is None or parameter.default is None

    @property
    def parser(self) -> ArgumentParser | None:
        """Parser of this argument alone, or None if the class cannot be imported or has no such argument."""
        return _parser(self.class_path, self.name)


@functools.cache
def _class_arguments(class_path: str) -> tuple[Any, frozenset[str]]:
    """Import a class; returns it and its arguments' names, which are empty if that fails: building reports it."""
    module, _, name = class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        names = ArgumentParser(exit_on_error=False).add_class_arguments(found, fail_untyped=False)
    except (ImportError, AttributeError, ValueError, TypeError):
        return None, frozenset()
    return found, frozenset(one.split(".")[0] for one in names)


@functools.cache
def _parser(class_path: str, name: str) -> ArgumentParser | None:
    found, names = _class_arguments(class_path)
    if name not in names:
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(found, skip=set(names - {name}), fail_untyped=False)
    return parser


def read_fields(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a composed experiment in which every `Plain` is read as the field wants that it reaches.

    Raises:
        UserError: A field takes neither the value nor the text; the message names the source of the scalar.
    """
    config = copy.deepcopy(config)
    fields: dict[Field | None, list[Place]] = {}
    for place in _scalars(config, ()):
        fields.setdefault(_field(config, place), []).append(place)
    # A scalar outside of all fields, such as a class path, has its value.
    for field, places in fields.items():
        leaves = [_at(config, place) for place in places]
        if field is None or field.parser is None:
            read = [leaf.value for leaf in leaves]
        else:
            read = _Reading(config, field, field.parser, places, leaves).read()
        for place, value in zip(places, read, strict=True):
            _at(config, place[:-1])[place[-1]] = value
    return config


def _scalars(tree: Any, place: Place) -> Iterator[Place]:
    """List the places of all plain scalars."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, item in entries:
        if isinstance(item, Plain):
            yield (*place, key)
        yield from _scalars(item, (*place, key))


def _at(tree: Any, place: Place) -> Any:
    return functools.reduce(lambda node, key: node[key], place, tree)


def _field(config: dict[str, Any], place: Place) -> Field | None:
    """Find the field to which a place belongs: the argument of the innermost class around it."""
    for depth in range(len(place) - 2, 0, -1):
        owner = _at(config, place[:depth])
        if place[depth] == "init_args" and isinstance(owner, dict) and "class_path" in owner:
            return Field(str(owner["class_path"]), str(place[depth + 1]), place[: depth + 2])
    if len(place) > 1 and place[0] in SECTIONS:
        return Field(SECTIONS[str(place[0])], str(place[1]), place[:2])
    return None


@dataclass(frozen=True)
class _Reading:
    """The reading of a field's scalars: one, or those in its list or mapping."""

    config: dict[str, Any]
    field: Field
    parser: ArgumentParser
    places: list[Place]
    leaves: list[Plain]

    def read(self) -> list[Any]:
        """Choose for each scalar the first candidate that the field takes together with the other scalars."""
        # While one scalar is read, the others are what the field takes: their values, else their texts.
        chosen: list[Any] = [leaf.value for leaf in self.leaves]
        if self._refusal(chosen) is not None and self._refusal([leaf.text for leaf in self.leaves]) is None:
            chosen = [leaf.text for leaf in self.leaves]
        for index in range(len(self.leaves)):
            chosen[index] = self._read_one(chosen, index)
        return chosen

    def _read_one(self, chosen: list[Any], index: int) -> Any:
        leaf = self.leaves[index]

        def refusal(candidate: Any) -> str | None:
            return self._refusal([*chosen[:index], candidate, *chosen[index + 1 :]])

        # A field that takes texts gets the text of what YAML 1.2 calls a text, others what Python reads in it.
        wanted = refusal(PROBE)
        if not isinstance(leaf.value, str):
            candidates = [leaf.value, leaf.text]
        else:
            candidates = [leaf.native, leaf.text] if wanted else [leaf.text, leaf.native]
        for candidate in candidates:
            if refusal(candidate) is None and (candidate is not None or leaf.value is None):
                return candidate
        if wanted is None and isinstance(leaf.value, str):
            return leaf.text
        # Of several sources, any may be the wrong one: building names the key.
        if len({one.source for one in self.leaves}) > 1:
            return leaf.value
        raise UserError(f"{leaf.source}: {self.field.label}: {wanted or refusal(leaf.text)}")

    def _refusal(self, scalars: list[Any]) -> str | None:
        """Return the reason why the field refuses these scalars, or None."""
        value = self._value(scalars)
        try:
            parsed = self.parser.parse_object({self.field.name: copy.deepcopy(value)})[self.field.name]
        except (ArgumentError, ValueError, TypeError, ArithmeticError) as error:
            inside = isinstance(value, list | dict)
            return expectation(innermost_cause(str(error)) if inside else str(error))
        # jsonargparse reads texts by YAML 1.1, in which 1:30 is 90.
        if isinstance(value, str) and isinstance(parsed, int | float):
            return "expected another form of it"
        # jsonargparse takes None for every argument that need not be given.
        return "expected a value" if value is None and not self.field.optional else None

    def _value(self, scalars: list[Any]) -> Any:
        """Return the field's value with these scalars in it."""
        depth = len(self.field.place)
        if self.places[0] == self.field.place:
            return scalars[0]
        value = _without_plain(_at(self.config, self.field.place))
        for place, scalar in zip(self.places, scalars, strict=True):
            _at(value, place[depth:-1])[place[-1]] = scalar
        return value


def _without_plain(tree: Any) -> Any:
    """Return a copy with the values of the scalars, which may belong to a class inside of the field."""
    if isinstance(tree, dict):
        return {key: _without_plain(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_without_plain(item) for item in tree]
    return tree.value if isinstance(tree, Plain) else tree
