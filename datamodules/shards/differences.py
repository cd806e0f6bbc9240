"""The place where a folder's plan differs from the one that is asked for, for messages."""

import json
from typing import Any

LONGEST = 80


def first_difference(there: Any, wanted: Any, place: str = "") -> tuple[str, str, str] | None:
    """Find the first value that differs: its dotted place, and both values as short texts; None where all are equal.

    Example:
        >>> first_difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
        ('a.0.b', '1', '2')
    """
    ours, theirs = _parts(wanted), _parts(there)
    if ours is None or theirs is None:
        return None if there == wanted else (place, _text(there), _text(wanted))
    for key in {**theirs, **ours}:
        found = first_difference(theirs.get(key), ours.get(key), f"{place}.{key}".lstrip("."))
        if found:
            return found
    return None


def _parts(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
