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
    # At a row's beginning these would belong to the line break before it.
    "[": "{[}",
    "*": "{*}",
    # In LaTeX's own encoding of fonts these four are other characters.
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
"""How LaTeX writes what it would read otherwise, or cannot read."""
LETTERS = "ßæÆøØœŒłŁı"
"""Letters that are none of ASCII with an accent, and that LaTeX's own encoding of fonts has."""
LAST_LATIN, OGONEK = "\u017f", "\u0328"
"""The last accented letter that it can have, and the accent that it has not."""


def write_latex(report: "ReportTable") -> str:
    r"""A `table*` with its caption, the best numbers in `\textbf` and the notes below.

    It needs `\usepackage{booktabs}` and an engine that reads UTF-8. Characters that pdfLaTeX does not know are written
    as `[U+4E2D]`.
    """
    table, best = report.table, report.best()
    heads = ["", "", *(column.heading for column in table.columns)]
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
    for index, (line, texts) in enumerate(zip(report.lines, report.texts(), strict=True)):
        if line.is_reference and not report.lines[index - 1].is_reference:
            out.append(r"\midrule")
        cells = [escape(text) for text in texts]
        out.append(_row([rf"\textbf{{{cell}}}" if (index, n - 2) in best else cell for n, cell in enumerate(cells)]))
    out += [r"\bottomrule", r"\end{tabular}", r"\par\medskip", r"{\footnotesize\raggedright"]
    out += [rf"{escape(note)}\par" for note in report.notes]
    return "\n".join([*out, "}", r"\end{table*}"]) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX shows it, on one line."""
    pairs = itertools.pairwise([*" ".join(text.split()), ""])
    # Two hyphens in a row would be drawn as a dash.
    return "".join(_character(one) + ("{}" if one == following == "-" else "") for one, following in pairs)


def _character(character: str) -> str:
    accented = unicodedata.normalize("NFD", character)
    latin = accented[0].isascii() and character.isprintable() and character <= LAST_LATIN and OGONEK not in accented
    return CHARACTERS.get(character, character if latin or character in LETTERS else f"{{[}}U+{ord(character):04X}]")


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
