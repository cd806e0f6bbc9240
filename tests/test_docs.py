"""The documentation: every block on a page is run or checked by its own program, and every link leads somewhere.

- Blocks of shell without a title run, page by page in their order, and a block of text after them is what they print.
- A title that begins with "needs" or "takes" tells the reader why the block cannot run just so. Its commands are parsed
  by the real parsers; the experiment that a command names is composed with the overrides, and every key of it checked.
- Blocks of Python are compiled, their names and arguments compared with the API, and run with small inputs.
"""

import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from lightning.pytorch import Trainer
from packaged_files import packaged_stand_in
from page_blocks import LANGUAGES, PAGES, PRINTS, ROOT, Block, blocks_in, blocks_of, name_of, simple_commands
from page_commands import RefusedError, all_parsers, check_command, options_of
from page_python import check_python_block
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline
from tiny_shards import tiny_shards
from video_folders import talking, write

from s2tf import cli
from s2tf.media.audio import write_wav
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

INLINE = re.compile(r"`s2tf ([^`]+)`")
OPTION = re.compile(r"`(--[a-z0-9-]+)")
KEY = re.compile(r"`(trainer\.|data\.init_args\.|vars\.)([a-z0-9_]+)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)")
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language == "bash"]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMANDS = sorted(
    {(name_of(block.page), shlex.join(words)) for block in SHELL for words in simple_commands(block.text)}
)
RUNNABLE = [page for page in PAGES if any(block.runs for block in SHELL if block.page == page)]
OPERANDS = {"videos"}
"""Words that stand behind a command in a sentence without being a sub-command."""
FOREIGN_OPTIONS = {"--slow": "pytest", "--export": "sbatch", "--append": "wandb sync"}
"""Options of other programs that a sentence names alone."""
NUMBER = re.compile(r"(?<![a-z])[0-9a-f]{8}(?![a-z])|\d+")


@pytest.fixture(scope="module")
def shown_files(tmp_path_factory):
    """A function that writes the YAML files that a page shows under their names; returns their folder."""

    def write_files(name: str):
        folder = tmp_path_factory.mktemp("shown")
        for block in BLOCKS:
            if block.language == "yaml" and name_of(block.page) == name and block.title.endswith(".yaml"):
                (folder / block.title).write_text(block.text)
        return folder

    return write_files


@pytest.fixture(scope="module")
def small_inputs(tmp_path_factory):
    """A folder with the inputs that the Python pages name: a pipeline, speech, shards and videos."""
    folder = tmp_path_factory.mktemp("inputs")
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(folder / "demo" / "pipeline")
    write_wav(folder / "speech.wav", coloured_noise(1.0))
    tiny_shards(folder / "shards")
    write(folder / "generated" / "a.mp4", talking(0))
    write(folder / "reference" / "a.mp4", talking(1))
    return folder


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """An environment in which small networks are in the place of those that ship."""
    return packaged_stand_in(tmp_path_factory.mktemp("packaged"))


def environment_with(program_folder):
    """Return an environment in which `s2tf` and `python` are those of this test."""
    program_folder.mkdir()
    for name, words in (("s2tf", "-m s2tf.cli"), ("python", "")):
        program = program_folder / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{program_folder}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        "OMP_NUM_THREADS": "1",
    }


def words_of(text: str) -> str:
    """Return printed text without what differs from run to run: numbers, frames of tables, widths of columns."""
    return " ".join(NUMBER.sub("0", re.sub(r"[─━═┏┓┗┛┡┩├┤└┘┬┴┼┳┻╇│┃]", " ", text)).split())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_names_its_language_and_a_title_says_why_it_is_not_run(page):
    for block in blocks_of(page):
        if block.text.strip() and block.language == "":
            assert "▶" in block.text, f"only a diagram stands in a block without a language: {block.text}"
            continue
        assert block.language in LANGUAGES, block.language
        if block.language == "bash":
            programs = {words[0] for words in simple_commands(block.text)}
            run_here = block.title == "" and programs <= {"s2tf", "python"}
            assert run_here or not block.runs, f"expected a title 'needs ...' or 'takes ...': {block.text}"
        if block.language == "yaml":
            yaml.safe_load(block.text)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: value[:90])
def test_a_shown_command_is_spelled_as_its_program_takes_it(page, command, shown_files):
    try:
        check_command(shlex.split(command), shown_files(page))
    except RefusedError as error:
        pytest.fail(f"{page}: {command}: {error}")


@pytest.mark.parametrize(
    "wrong",
    [
        "s2tf evaluate videos A B --metric pixels",
        "s2tf evaluate videos A B --metrics pixels,sharpnes",
        "s2tf fit conre.yaml trainer.max_stepz=1",
        "s2tf fit conre.yaml +debug/nothing.yaml",
        "s2tf fit scfp.yaml vars.conree=C ...",
        "s2tf prior prior.yaml prior.face=1 --out prior",
        "s2tf submit chain chains/paper.yaml avspeach=A --cluster a6000x8 --out paper",
        "s2tf sweep sweeps/prior_weighting.yaml vars.shard=S --cluster a6000x8",
        "torchrun --nproc_per_nod 4 -m s2tf.cli fit conre.yaml",
        "torchrun --nproc-per-node 4 -m s2tf.cli fit conre.yaml --part 1/2",
        "python examples/ablate.py shards --step 2 --nothing",
        'pip install ".[dashbord]"',
        "pip install . --constrain constraints.txt",
        "wandb sync --apend RUN",
        "ffprobe talking.mp4",
    ],
)
def test_a_wrong_word_in_a_shown_command_is_found(wrong, tmp_path):
    (words,) = simple_commands(wrong)
    with pytest.raises(RefusedError):
        check_command(words, tmp_path)


def test_commands_are_found_in_loops_behind_assignments_and_after_each_other():
    loop = "for n in 1 2; do\n    s2tf fit a.yaml x=$n --runs r/$n  # why\ndone\n"
    script = loop + "export A=1 && B=2 s2tf runs \\\n  --watch\n"
    assert list(simple_commands(script)) == [
        ["s2tf", "fit", "a.yaml", "x=1", "--runs", "r/1"],
        ["export", "A=1"],
        ["s2tf", "runs", "--watch"],
    ]
    (block,) = blocks_in('1. a\n\n    ```bash title="needs data"\n    s2tf runs\n    ```\n', PAGES[0])
    assert block == Block(PAGES[0], "bash", "needs data", "s2tf runs\n")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_named_in_a_sentence_exists(page):
    known = {title: options_of(parser) for title, parser in all_parsers()}
    for words in INLINE.findall(page.read_text()):
        command, *rest = words.split()
        if not re.fullmatch(r"[a-z]+", command):
            continue
        assert command in cli.COMMANDS, f"{name_of(page)}: s2tf {words}"
        # Of `evaluate`, that of the sub-command if the sentence names one.
        named = {title for title in known if (f"{command} {' '.join(rest)}" + " ").startswith(title + " ")}
        group = named or {title for title in known if title.split()[0] == command}
        assert group, f"{name_of(page)}: s2tf {words}"
        if not named and rest:
            assert not re.fullmatch(r"[a-z]+", rest[0]) or rest[0] in OPERANDS, f"{name_of(page)}: s2tf {words}"
        options = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert options - set().union(*(known[title] for title in group)) == set(), f"{name_of(page)}: s2tf {words}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_option_named_in_a_sentence_exists(page):
    known = set().union(*(options_of(parser) for _, parser in all_parsers()), FOREIGN_OPTIONS)
    assert sorted(set(OPTION.findall(page.read_text())) - known) == []


def test_a_key_of_an_experiment_named_in_a_sentence_exists():
    modules = [importlib.import_module(f"datamodules.{path.stem}") for path in (ROOT / "datamodules").glob("*.py")]
    datamodules = [kind for module in modules for name, kind in vars(module).items() if name.endswith("Data")]
    known = {
        "trainer.": set(inspect.signature(Trainer).parameters),
        "data.init_args.": {name for one in datamodules for name in inspect.signature(one).parameters},
        "vars.": {
            name
            for path in (ROOT / "experiments").rglob("*.yaml")
            for name in (yaml.safe_load(path.read_text()) or {}).get("vars") or {}
        },
    }
    named = {(name_of(page), *found) for page in PAGES for found in KEY.findall(page.read_text())}
    # `vars.x` stands for any variable.
    assert [one for one in sorted(named) if one[2] not in known[one[1]] | {"x"}] == []


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{name_of(block.page)}: {block.text[:40]!r}")
def test_a_block_of_python_uses_names_and_arguments_that_exist(block):
    check_python_block(block.text)


@pytest.mark.parametrize(
    "wrong",
    ["import s2tf\ns2tf.load_pipelin('x')", "from s2tf.runs import fitt", "import s2tf\ns2tf.fit('a.yaml', step=1)"],
)
def test_a_wrong_name_in_a_block_of_python_is_found(wrong):
    with pytest.raises((ImportError, AttributeError, TypeError)):
        check_python_block(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{name_of(block.page)}: {block.text[:40]!r}")
def test_a_block_of_python_runs(block, small_inputs, packaged, tmp_path):
    environment = {**environment_with(tmp_path / "bin"), **packaged}
    result = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=small_inputs,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_commands_of_a_page_that_need_nothing_run_in_their_order_and_print_what_it_shows(page, packaged, tmp_path):
    environment = {**environment_with(tmp_path / "bin"), **packaged}
    work = tmp_path / "work"
    work.mkdir()
    printed, ran = "", False
    for block in blocks_of(page):
        if block.language == "bash":
            ran = block.runs
        if block.language == "bash" and block.runs:
            result = subprocess.run(
                ["bash", "-ec", block.text], cwd=work, env=environment, capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, f"{block.text}\n{result.stdout}\n{result.stderr}"
            printed = words_of(result.stdout)
        if block.language == "text" and block.title == PRINTS and ran:
            for line in filter(None, map(words_of, block.text.splitlines())):
                assert line == "..." or line in printed, f"{name_of(page)} shows {line!r}, printed was {printed!r}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_a_link_to_a_file_leads_to_one(page):
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    # The page of commands is written when the site is built.
    written = ROOT / "docs" / "reference" / "commands.md"
    assert [link for link in broken if (page.parent / link).resolve() != written] == []


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
