import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2tf.reporting.build_table import build_table
from s2tf.reporting.paper import TABLES, Column, PaperTable, Row
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.write_latex import escape, write_latex

NAME = '[1] 100 % of a_b & c#d $5 {x} ~^\\ <β⁰ ± 3°> Łukasz\'s --faces 中 | "é"'
TABLE = PaperTable(
    "0",
    "made up & more",
    (Column("error ↓ (%)", "e"), Column("right ↑", "r", higher_is_better=True)),
    (Row("old", (), ()),),
    baseline="without the speech",
    explained="Without the speech: the mean face.",
)
COMMAND = re.compile(r"\\(?:[a-zA-Z]+|.)")


def report(*labels):
    runs = {
        label: [RunScores("x", "", 0, {"e": float(n), "r": 0.5}, {"e": 9.0}, {}, {"a_b": "5 %"})]
        for n, label in enumerate(labels)
    }
    return build_table(TABLE, runs, [f"about {NAME}"])


def compiles(text, folder):
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("compiling needs pdflatex, which pip cannot install; the structure is tested all the same")
    source = folder / "table.tex"
    source.write_text(
        f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{text}\\end{{document}}\n"
    )
    options = ["-draftmode", "-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([program, *options, source.name], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def rows(text):
    """The cells of each row of the tabular."""
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line not in ("\\toprule", "\\midrule")]
    assert all(line.endswith(r" \\") for line in lines)
    return [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines]


def check_structure(text, columns):
    assert re.findall(r"\\begin\{(.+?)\}", text) == ["table*", "tabular"]
    assert re.findall(r"\\end\{(.+?)\}", text) == ["tabular", "table*"]
    assert {len(cells) for cells in rows(text)} == {columns}
    assert f"{{{'ll' + 'r' * (columns - 2)}}}" in text
    check_braces(text)


def check_braces(text):
    depth = 0
    for character in COMMAND.sub("", text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_paper_is_latex(name, tmp_path):
    text = write_latex(build_table(TABLES[name], {}))
    check_structure(text, 2 + len(TABLES[name].columns))
    for arrow in "↑↓±":
        assert arrow not in text
    assert len(rows(text)) == 1 + len([row for row in TABLES[name].rows if row.paper])


def test_every_table_of_the_paper_compiles(tmp_path):
    compiles("".join(write_latex(build_table(table, {})) for table in TABLES.values()), tmp_path)


def test_names_that_latex_would_read_are_shown_as_they_are(tmp_path):
    found = report("old", NAME)
    text = write_latex(found)
    check_structure(text, 4)
    assert r"{[}1] 100 \% of a\_b \& c\#d \$5 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}" in text
    assert r"\textless{}$\beta$\textsuperscript{0} $\pm$ 3\textdegree{}\textgreater{} Łukasz's -{}-faces" in text
    assert "{[}U+4E2D]" in text
    assert r"made up \& more" in text
    compiles(text, tmp_path)


def test_the_best_numbers_are_bold_and_the_references_apart():
    text = write_latex(report("old", "new"))
    lines = text.splitlines()
    assert r"old & ours (1 run) & \textbf{0.00} & \textbf{0.50} \\" in lines
    assert r"new & ours (1 run) & 1.00 & \textbf{0.50} \\" in lines
    assert lines[lines.index(r" & without the speech & 9.00 &  \\") - 1] == r"\midrule"
    assert r"a\_b: 5 \%\par" in text


@given(st.text())
def test_whatever_is_escaped_leaves_no_special_character(text):
    found = escape(text)
    check_braces(found)
    bare = COMMAND.sub("", found)
    assert bare.count("$") % 2 == 0
    assert not set(bare) & set('&%#_~^<>|"\\\n')
    assert not re.search(r"(?<!\{)\[", bare)


@pytest.mark.parametrize("block", range(4))
def test_all_latin_letters_compile_or_are_named(block, tmp_path):
    letters = [chr(code) for code in range(32 + block * 88, 32 + (block + 1) * 88)]
    compiles("\n".join(escape(letter) for letter in letters), tmp_path)
