"""YAML files and override texts: plain scalars keep their text until a typed field reads it (`s2tf.config.fields`)."""

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from s2tf.errors import UserError

PLAIN, TEXT = "!plain", "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"
WORDS: dict[str, bool | None] = {"": None, "~": None}
for _word, _value in (("null", None), ("true", True), ("false", False)):
    WORDS |= dict.fromkeys((_word, _word.title(), _word.upper()), _value)
"""Words of YAML 1.2's core schema that are no texts."""
SWITCHES = {word: word in ("on", "yes") for word in ("on", "off", "yes", "no")}
"""Words that YAML 1.1 read as true or false, and a field of that type still does."""
EMPTY: dict[str, Any] = {"[]": [], "{}": {}}
"""Overrides by an empty list or mapping, which a field for texts takes as a text."""
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST_NUMBER = 4000
"""Digits from which on Python reads no number from a text."""


class Plain:
    """A plain scalar of a YAML file, or the text of an override: it has no type yet.

    Attributes:
        text: The scalar as it was typed.
        source: Place for messages: the override, or the file and line.
    """

    __slots__ = ("source", "text")

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> Any:
        """Value by the core schema of YAML 1.2; what is no number, truth value or null there is the text."""
        text = self.text.strip()
        if text in EMPTY:
            return EMPTY[text].copy()
        if text in WORDS:
            return WORDS[text]
        if len(text) > LONGEST_NUMBER:
            return self.text
        if INTEGER.fullmatch(text):
            return int(text, 8 if text[:2] == "0o" else 16 if text[:2] == "0x" else 10)
        if FLOAT.fullmatch(text):
            return float(text)
        return float(text.replace(".", "")) if SPECIAL.fullmatch(text) else self.text

    @property
    def native(self) -> Any:
        """Number that Python reads from a text that YAML 1.2 leaves a text, or the truth value of a switch, or None."""
        for read in (int, lambda text: int(text, 0), float):
            try:
                return read(self.text)
            except ValueError:
                continue
        word = self.text.strip()
        return SWITCHES.get(word.lower()) if word in (word.lower(), word.title(), word.upper()) else None


class _Reader(yaml.SafeLoader):
    """PyYAML's loader, which reads plain scalars as `Plain`; a key that stands twice in a mapping is an error."""

    yaml_implicit_resolvers = {"<": [(MERGE, re.compile("<<"))]}  # noqa: RUF012

    source = ""
    lines = True

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """Tag plain scalars without an explicit tag."""
        tag = super().resolve(kind, value, implicit)
        return PLAIN if kind is yaml.ScalarNode and implicit[0] and tag == TEXT else str(tag)

    def construct_plain(self, node: Any) -> Plain:
        """Keep the text, and the place that messages name."""
        place = f"{self.source}, line {node.start_mark.line + 1}: {node.value}" if self.lines else self.source
        return Plain(node.value, place)

    def flatten_mapping(self, node: Any) -> None:
        """Check the keys, which are texts, before `<<` adds others."""
        seen: set[Hashable] = set()
        for key, _ in node.value:
            key.tag = TEXT if key.tag == PLAIN else key.tag
            if key.tag == TEXT and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value if key.tag == TEXT else id(key))
        super().flatten_mapping(node)


_Reader.add_constructor(PLAIN, _Reader.construct_plain)


class _Writer(yaml.SafeDumper):
    """PyYAML's dumper, which also quotes texts that only YAML 1.2 reads as numbers, such as 1e-4."""


_Writer.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{FLOAT.pattern})$"), list("-+.0123456789"))
_Writer.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"(?:{INTEGER.pattern})$"), list("-+0123456789"))


def read_yaml(path: Path) -> Any:
    """Read a YAML file, whose plain scalars are `Plain` and whose keys are texts.

    Raises:
        UserError: The file is not readable; the message names the line.
    """
    try:
        reader = _Reader(path.read_bytes())
        reader.source = str(path)
        tree = reader.get_single_data()
        # Refuses a list or mapping whose alias stands inside of itself.
        json.dumps(tree, default=str)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a readable YAML file: {_problem(error)}") from error
    return tree


def _problem(error: Exception) -> str:
    """Describe an error of PyYAML in one line."""
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
    return f"line {mark.line + 1}: {text}" if mark is not None else str(text)


def read_text(text: str, source: str) -> Any:
    """Read the text of an override: a list or mapping in brackets, a text in quotes, else one plain scalar.

    A text that begins with a bracket or quote and is no YAML, such as `{0..3}.tar` or `'a'b`, is a plain scalar.

    Args:
        text: The part after `key=`.
        source: The override, for messages.
    """
    if not text.strip().startswith(("[", "{", "'", '"')) or text.strip() in EMPTY:
        return Plain(text, source)
    try:
        node = yaml.compose(text, _Reader)
        reader = _Reader(text)
        reader.source, reader.lines = source, False
        # A comment after the value is meant as a part of the text.
        return reader.get_single_data() if node.end_mark.index == len(text.rstrip()) else Plain(text, source)
    except (yaml.YAMLError, RecursionError):
        return Plain(text, source)


def write_yaml(tree: Any) -> str:
    """Format plain values as a YAML text that every version of YAML reads back to the same values."""
    return yaml.dump(tree, Dumper=_Writer, sort_keys=False, allow_unicode=True)


def values(tree: Any) -> Any:
    """Return a copy of what `read_yaml` returned with the values of YAML 1.2."""
    return _mapped(tree, lambda scalar: scalar.value)


def clear_values(tree: Any) -> Any:
    """Return a copy of what `read_yaml` returned for use in command lines: values whose text is clear, else texts.

    A number is clear if YAML 1.1 reads it too; `0123`, `on`, `1e-4` and `2024_11_27` stay as they were typed.
    """
    return _mapped(tree, lambda scalar: scalar.value if _read_by_yaml_1_1(scalar.text) == scalar.value else scalar.text)


def texts(tree: Any) -> Any:
    """Return a copy of what `read_yaml` returned with the texts of numbers, for a reader that knows the types."""
    return _mapped(tree, lambda one: one.value if one.value is None or isinstance(one.value, bool) else one.text)


def _read_by_yaml_1_1(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _mapped(tree: Any, read: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _mapped(item, read) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_mapped(item, read) for item in tree]
    return read(tree) if isinstance(tree, Plain) else tree
