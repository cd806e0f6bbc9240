"""A table for a paper in LaTeX, with no packages but booktabs."""

import itertools
import unicodedata

from s2tf.reporting.table import ReportTable

CHARACTERS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{character: f"\\{character}" for character in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # At the start of a row these would be read as arguments of the line break before it.
    "[": "{[}",
    "*": "{*}",
    # In LaTeX's own encoding of fonts these four show as other characters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "°": r"\textdegree{}",
    "⁰": r"\textsuperscript{0}",
    "²": r"\textsuperscript{2}",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "ε": r"$\epsilon$",
    "λ": r"$\lambda$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "σ": r"$\sigma$",
}
"""LaTeX source of characters that LaTeX would read as commands, or cannot read."""
LETTERS = "ßæÆøØœŒłŁı"
"""Letters beyond accented ASCII that LaTeX's own encoding of fonts has."""
LAST_LATIN, OGONEK = "\u017f", "\u0328"
"""The last accented letter that this encoding can have, and the accent that it lacks."""


def write_latex(report: ReportTable) -> str:
    r"""Return a `table*` with its caption, the best numbers in `\textbf` and the notes below.

    It needs `\usepackage{booktabs}` and an engine that reads UTF-8. Characters that pdfLaTeX does not know are written
    as `[U+4E2D]`.
    """
    table, best = report.table, report.best()
    heads = ["", "", *(column.heading for column in table.columns)]
    # Caption and heads.
    out = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape(table.title)} (Table {escape(table.number)}).}}",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
        r"\toprule",
        _row([escape(head) for head in heads]),
        r"\midrule",
    ]
    # Lines, a rule before baselines and truths.
    for index, (line, texts) in enumerate(zip(report.lines, report.texts(), strict=True)):
        if line.is_reference and not report.lines[index - 1].is_reference:
            out.append(r"\midrule")
        cells = [escape(text) for text in texts]
        out.append(_row([rf"\textbf{{{cell}}}" if (index, n - 2) in best else cell for n, cell in enumerate(cells)]))
    # Notes.
    out += [r"\bottomrule", r"\end{tabular}", r"\par\medskip", r"{\footnotesize\raggedright"]
    out += [rf"{escape(note)}\par" for note in report.notes]
    return "\n".join([*out, "}", r"\end{table*}"]) + "\n"


def escape(text: str) -> str:
    """Return the LaTeX source that shows a text on one line."""
    pairs = itertools.pairwise([*" ".join(text.split()), ""])
    # Two hyphens in a row would show as a dash.
    return "".join(_character(one) + ("{}" if one == following == "-" else "") for one, following in pairs)


def _character(character: str) -> str:
    accented = unicodedata.normalize("NFD", character)
    latin = accented[0].isascii() and character.isprintable() and character <= LAST_LATIN and OGONEK not in accented
    return CHARACTERS.get(character, character if latin or character in LETTERS else f"{{[}}U+{ord(character):04X}]")


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
