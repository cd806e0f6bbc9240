"""One page of all results: tables, figures, and pictures of the runs.

The page contains its pictures, so that it can be sent and kept as one file. Pictures of the runs are therefore few and
JPEG; figures, whose lines JPEG would blur, stay PNG.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.evaluation.stages.scfp import PORTRAIT, SAMPLES
from s2tf.media.pictures import read_picture
from s2tf.reporting.paper import TABLES
from s2tf.reporting.paper_tables import NothingMeasuredError, report_table
from s2tf.reporting.portrait_sheet import by_seed, portraits_sheet, random_weights_note
from s2tf.reporting.read_scores import EFFICIENCY
from s2tf.reporting.sources import Result, Sources
from s2tf.reporting.steps import StepEnd, steps_sections
from s2tf.reporting.table import ReportTable
from s2tf.reporting.write_html import Section, write_page, write_section

PAGE = "report.html"
TITLE = "From speech alone to a talking face"
FIGURES = {
    "figure3": "Figure 3: portraits of one speech from several seeds, without the face prior, with β⁰, and with β",
    "figure10": "Figure 10: the face prior and the number of its faces",
    "figure11": "Figure 11: the face prior and its share of women",
    "figure12": "Figure 12: where the weights of the face prior act",
    "portraits": "Test speakers by variant: the reference face, and the portrait by each variant",
}
"""Figures that `s2tf report figure` writes, and their titles on the page."""
MEASURED = "measured where it runs: `s2tf report table table12`"
QUALITY = 90
"""JPEG quality of the pictures."""


@dataclass(frozen=True)
class PageParts:
    """Parts of the page beside tables and pictures of runs."""

    figures: Sequence[Path] = ()
    """Folders with figures, beside the page's own."""
    steps: Sequence[StepEnd] = ()
    """Ends of a chain's steps."""


def write_report(sources: Sources, clips: int, out: Path, parts: PageParts | None = None) -> dict[str, Any]:
    """Write `out`/report.html.

    Figures are read from `out`, or from the first other folder that has them; the sheet of portraits is drawn again
    where runs have portraits.

    Args:
        sources: Sources of the tables; each result names its table.
        clips: Number of clips to show of an experiment.
        out: Folder of the page.
        parts: Folders of figures, and ends of steps.

    Returns:
        The tables, the names of the figures, the folders whose pictures are shown, the reason for all left out, and the
        ends of steps that lack something.

    Raises:
        UserError: There is nothing to show.
    """
    # Collect all that can be shown.
    parts = parts or PageParts()
    tables, left_out = _tables(sources)
    _draw_portraits(sources.runs, clips, out, left_out)
    figures = {name: path for name in FIGURES if name not in left_out and (path := _drawn(name, out, parts.figures))}
    if parts.figures:
        left_out |= {name: "not drawn" for name in FIGURES if name not in figures and name not in left_out}
    samples = list(_sample_folders(sources))
    if not (tables or figures or samples):
        raise UserError(f"{sources.runs or 'W&B'}: nothing to report: no table has a run, and there are no pictures")
    # Write the page.
    sections = [
        *(write_section(table) for table in tables.values()),
        *(_figure(name, path) for name, path in figures.items()),
        *(_samples(number, name, folder, clips) for number, (name, folder) in enumerate(samples)),
        *steps_sections(parts.steps),
        _left_out(left_out),
    ]
    (out / PAGE).write_text(write_page(TITLE, sections), encoding="utf-8")
    return {
        "tables": {name: table.to_json() for name, table in tables.items()},
        "figures": list(figures),
        "samples": [str(folder) for _, folder in samples],
        "left out": left_out,
        "steps": {end.name: end.to_json() for end in parts.steps if end.lacks},
    }


def _tables(sources: Sources) -> tuple[dict[str, ReportTable], dict[str, str]]:
    """Return the tables that can be filled, and the reason for each other one."""
    filled: dict[str, ReportTable] = {}
    left_out: dict[str, str] = {}
    sources = replace(sources, results=_of_seeds_there(sources.results, left_out))
    for name, table in TABLES.items():
        if table.kind == EFFICIENCY and not any(result.table == name for result in sources.results):
            left_out[name] = MEASURED
            continue
        try:
            filled[name] = report_table(name, sources)
        except NothingMeasuredError:
            left_out[name] = "nothing measured yet"
        except UserError as error:
            left_out[name] = str(error)
    return filled, left_out


def _of_seeds_there(results: Sequence[Result], left_out: dict[str, str]) -> list[Result]:
    """Leave out files that are missing where other seeds of their row have theirs, and note them in `left_out`."""
    there = {(one.table, one.name) for one in results if one.path.is_file()}
    missing = [one for one in results if (one.table, one.name) in there and not one.path.is_file()]
    left_out |= {f"{one.table}:{one.name}={one.path}": "missing, as one of several seeds" for one in missing}
    return [one for one in results if one not in missing]


def _drawn(name: str, out: Path, folders: Sequence[Path]) -> Path | None:
    """Find the picture of a figure."""
    return next((path for folder in (out, *folders) if (path := folder / f"{name}.png").is_file()), None)


def _draw_portraits(runs: Path | None, clips: int, out: Path, left_out: dict[str, str]) -> None:
    """Draw the sheet of portraits, or note in `left_out` why there is none."""
    if runs is None:
        return
    try:
        portraits_sheet(runs, clips, out)
    except UserError as error:
        left_out["portraits"] = str(error)


def _sample_folders(sources: Sources) -> Iterator[tuple[str, Path]]:
    """Yield the folder of the first evaluated run of each experiment, and those of results."""

    def shown(folder: Path) -> bool:
        return (folder / METRICS_FILE).is_file() and any((folder / SAMPLES).glob("*.png"))

    for experiment in sorted(sources.runs.glob("*")) if sources.runs is not None else ():
        if folders := [folder for folder in experiment.glob("*") if shown(folder)]:
            yield experiment.name, min(folders, key=by_seed)
    for result in sources.results:
        if shown(result.path.parent):
            yield result.name, result.path.parent


def _figure(name: str, path: Path) -> Section:
    shown = _picture(path.read_bytes(), "png", read_picture(path, any_size=True).shape[:2], FIGURES[name])
    return Section(name, FIGURES[name], _pictures([shown], wide=True))


def _samples(number: int, name: str, folder: Path, clips: int) -> Section:
    """Return a section with the first pictures of a folder, those of one clip beside each other."""
    paths = sorted((folder / SAMPLES).glob("*.png"))
    pairs = any(path.name.endswith(PORTRAIT) for path in paths)
    shown = paths[: clips * (2 if pairs else 1)]
    pictures = [_as_jpeg(path) for path in shown]
    note = f"<p>{len(shown)} of {len(paths)} pictures in {escape(str(folder / SAMPLES))}</p>"
    title = f"Pictures of {name}{random_weights_note([folder])}"
    return Section(f"pictures-{number}", title, f"{note}\n{_pictures(pictures, wide=not pairs)}")


def _pictures(figures: Sequence[str], wide: bool) -> str:
    layout = "pictures wide" if wide else "pictures"
    return "\n".join([f'<div class="{layout}">', *figures, "</div>"])


def _picture(data: bytes, form: str, size: tuple[int, ...], text: str, caption: bool = False) -> str:
    """Return a picture of (height, width) that contains its bytes; `caption` repeats its text below it."""
    height, width = size
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    # A screen reader takes the text from the picture itself.
    below = f'<figcaption aria-hidden="true">{escape(text)}</figcaption>' if caption else ""
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(text)}">'
    return f"<figure>{image}{below}</figure>"


def _as_jpeg(path: Path) -> str:
    """Return a picture as JPEG with its name below it."""
    out = io.BytesIO()
    pixels = read_picture(path, any_size=True)
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY)
    return _picture(out.getvalue(), "jpeg", pixels.shape[:2], path.name.removesuffix(".png"), caption=True)


def _left_out(reasons: Mapping[str, str]) -> Section:
    items = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in reasons.items())
    return Section("left-out", "Not on this page", f'<ul class="notes">{items}</ul>')
