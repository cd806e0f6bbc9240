"""The fenced blocks of a documentation page, and the simple commands in a block of shell."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
HEAD = re.compile(r"(\w*)(?: title=\"([^\"]*)\")?")
NOT_RUN = ("needs ", "takes ")
"""Beginnings of a block's title that say why a test cannot run the block."""
PRINTS = "prints"
"""Title of a block of text that shows what the blocks of shell before it print."""
LANGUAGES = {"bash", "python", "yaml", "text"}
LOOP_WORDS = {"do", "done", "then", "fi"}
ASSIGNMENT = re.compile(r"\w+=")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    language: str
    title: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether it needs nothing, so that a test runs it."""
        return not self.title.startswith(NOT_RUN)


def name_of(page: Path) -> str:
    """Return the page's path from the top of the checkout."""
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    """Read the fenced blocks of a page; an unreadable head of a fence is an error."""
    return blocks_in(page.read_text(), page)


def blocks_in(text: str, page: Path) -> list[Block]:
    """Return the fenced blocks in a page's text."""
    blocks = []
    for indent, head, content in FENCE.findall(text):
        match = HEAD.fullmatch(head)
        assert match, f"{page}: cannot read the head of a block: {head!r}"
        lines = [line.removeprefix(indent) for line in content.splitlines()]
        blocks.append(Block(page, match[1], match[2] or "", "\n".join(lines) + "\n"))
    return blocks


def simple_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command of a script, without loops, assignments before it and comments.

    A `for` loop is seen once, with its variable replaced by its first value.
    """
    values: dict[str, str] = {}
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word and set(word) <= set(";&|"):
                yield from _simple(words, values)
                words = []
            else:
                words.append(word)


def _simple(words: list[str], values: dict[str, str]) -> Iterator[list[str]]:
    """Yield one command, or note the variable of a loop."""
    while words and (words[0] in LOOP_WORDS or ASSIGNMENT.match(words[0])):
        words = words[1:]
    if words[:1] == ["for"]:
        values[words[1]] = words[3]
    elif words:
        for name, value in values.items():
            words = [re.sub(rf"\${name}\b", value, word) for word in words]
        yield words
