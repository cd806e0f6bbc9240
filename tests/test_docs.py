"""The documentation: every shown command parses, those that need nothing run, and every link leads somewhere."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from s2tf import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\s)(?:s2tf|-m s2tf\.cli) (?P<words>[a-z-].*)$")
INLINE = re.compile(r"`s2tf ([^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)")
ONLY_PARSED = ("needs ", "takes ")
"""Beginnings of a block's title that say why its commands cannot be run here."""


@dataclass(frozen=True)
class Block:
    """A block of shell on a page."""

    page: Path
    title: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The words of each call of `s2tf`."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [match["words"].split(" && ")[0] for line in lines if (match := COMMAND.search(line))]

    @property
    def runs(self) -> bool:
        return bool(self.commands) and not self.title.startswith(ONLY_PARSED)


class RefusedError(Exception):
    """Message of a parser on a wrong command line."""


class Parser(argparse.ArgumentParser):
    """A parser that raises an error instead of leaving the program."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise RefusedError(message)


def blocks_of(page: Path) -> list[Block]:
    found = FENCE.findall(page.read_text())
    return [Block(page, title, text) for language, title, text in found if language == "bash"]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMANDS = sorted({(name_of(block.page), words) for block in BLOCKS for words in block.commands})
RUNNABLE = [page for page in PAGES if any(block.runs for block in blocks_of(page))]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: value[:70])
def test_a_shown_command_is_spelled_as_its_parser_takes_it(page, words):
    if "--help" in shlex.split(words):
        return
    try:
        cli.parse(shlex.split(words.replace("$n", "1")), Parser)
    except RefusedError as error:
        pytest.fail(f"{page}: s2tf {words}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_named_in_a_sentence_exists(page):
    for words in INLINE.findall(page.read_text()):
        command, *rest = words.split()
        if not re.fullmatch(r"[a-z]+", command):
            continue
        assert command in cli.COMMANDS, f"{name_of(page)}: s2tf {words}"
        options = [word for word in rest if word.startswith("--")]
        folder = ROOT / "s2tf" / "commands" / cli.COMMANDS[command]
        sources = sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        if folder.is_dir() and rest and re.fullmatch(r"[a-z]+", rest[0]):
            assert (folder / f"{rest[0]}.py").is_file(), f"{name_of(page)}: s2tf {words}"
        declared = "".join(path.read_text() for path in [*sources, *(ROOT / "s2tf" / "commands").glob("*.py")])
        assert [option for option in options if f'"{option}"' not in declared] == [], f"{name_of(page)}: s2tf {words}"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_commands_of_a_page_that_need_nothing_run_in_their_order(page, tmp_path):
    bin_folder, work = tmp_path / "bin", tmp_path / "work"
    bin_folder.mkdir()
    work.mkdir()
    program = bin_folder / "s2tf"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m s2tf.cli "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        "OMP_NUM_THREADS": "1",
    }
    script = "\n".join(block.text for block in blocks_of(page) if block.runs)
    result = subprocess.run(
        ["bash", "-ec", script], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_a_link_to_a_file_leads_to_one(page):
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert [link for link in broken if link != "commands.md"] == []


def test_a_page_that_a_source_file_names_exists():
    folders = ("s2tf", "datamodules", "experiments", "slurm", "tests", "examples")
    sources = [path for folder in folders for kind in ("*.py", "*.yaml") for path in (ROOT / folder).rglob(kind)]
    named = {(page, name_of(path)) for path in sources for page in re.findall(r"docs/[\w/-]+\.md", path.read_text())}
    assert [one for one in sorted(named) if not (ROOT / one[0]).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_in_the_site(page):
    if page.parent == ROOT:
        return
    assert name_of(page).removeprefix("docs/") in (ROOT / "mkdocs.yml").read_text()


def test_every_command_has_a_place_in_the_documentation():
    text = "".join(page.read_text() for page in PAGES)
    assert [command for command in cli.COMMANDS if f"s2tf {command}" not in text] == []


def test_the_readme_is_short_and_keeps_the_gate_s_install_command():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert 'pip install -e ".[test]" -c constraints.txt' in text
