"""A class with an argument of each type that experiments have, to which overrides are handed."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass
class Source:
    shards: str
    weight: float = 1.0


class TypedFields:
    def __init__(
        self,
        text: str = "",
        number: float = 0.0,
        count: int = 0,
        flag: bool = False,
        maybe: str | None = "some",
        either: int | str = 0,
        mode: Literal["on", "off"] = "on",
        texts: list[str] | None = None,
        numbers: list[float] | None = None,
        names: dict[str, str] | None = None,
        sources: str | list[Source] = "",
        anything: Any = None,
    ) -> None:
        self.taken = {name: value for name, value in locals().items() if name != "self"}
