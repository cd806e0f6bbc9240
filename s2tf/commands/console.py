"""Output of commands: tables that are not cut outside a terminal, progress lines, and shared closing lines."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from s2tf.errors import UserError
from s2tf.evaluation.progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from datamodules.shards.add_member import CopyReport, OnClip

T = TypeVar("T")

WIDTH = 200
"""Width in characters outside a terminal."""

UNITS = {"size": "pixels"}
"""Words for the fields of a generated file whose names do not read well behind a number."""


def table_console() -> "Console":
    """Return a console on standard output; a table that goes to a file is not cut to a terminal's width."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def print_metrics(metrics: Mapping[str, float], path: Path | None) -> None:
    """Print numbers by name, and write them to a JSON file if a path is given."""
    for name, value in sorted(metrics.items()):
        print(f"{name:32s} {value:.6g}")
    write_json(path, dict(metrics))


def write_json(path: Path | None, content: object) -> None:
    """Write plain values to a file, if a path is given."""
    if path is not None:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def announce(text: str) -> None:
    """Print what a command begins to do, at once even where the output is a file."""
    print(text, flush=True)


def part_done(part: tuple[int, int], out: Path) -> str:
    """Return the line that says which part of the work is done while `out` is not complete."""
    return f"part {part[0]} of {part[1]} is done; the last part completes {out}"


def copy_with_progress(
    what: str,
    out: Path,
    part: tuple[int, int],
    copy: "Callable[[OnClip], CopyReport]",
    lacking: str = "without sound",
) -> None:
    """Copy shards with a new member in every sample, show the progress, and print a summary.

    Args:
        what: Name of the member in the summary.
        out: The new shard folder.
        part: (I, N), the part that is done.
        copy: Function that does the work; it receives a function that it calls after each clip.
        lacking: Words for the clips that have no such member.

    Raises:
        UserError: The work raised a ValueError.
    """
    from rich.console import Console

    try:
        with progress(Console(), f"computing the {what} of every clip") as report:
            added = copy(lambda done, total: report(f"{done} of {total} clips"))
    except ValueError as error:
        raise UserError(str(error)) from error
    silent = f", {added.without} clips {lacking} have no {what}" if added.without else ""
    before = f", {added.clips - added.written} were written before" if added.clips > added.written else ""
    print(f"{added.written - added.without} clips written with {what}{silent}{before}: {out}")
    if not added.complete:
        print(part_done(part, out))


def counted(frames: "Iterable[T]", speech: Path) -> "Iterator[T]":
    """Yield frames of a video as they are, with lines of progress."""
    from rich.console import Console

    with progress(Console(), f"generating the video of {speech}") as report:
        for number, frame in enumerate(frames, start=1):
            report(f"{number} frames")
            yield frame


def report_generated(
    generated: Mapping[str, Any],
    seed: int,
    random_weights: Sequence[str],
    json_file: Path | None,
    codes: str | None = None,
) -> None:
    """Print what was generated and a warning about random weights, and write both as JSON if a path is given.

    The choice of the codebook's codes stands in the JSON, where there is a codebook.
    """
    described = [f"{value} {UNITS.get(name, name)}" for name, value in generated.items() if name != "out"]
    print(f"{generated['out']}: {', '.join(described)}")
    if random_weights:
        from s2tf.media.pictures import RANDOM_NOTE

        print(f"{RANDOM_NOTE}: {', '.join(random_weights)} were never trained; do not report this as a result")
    chosen = {"codes": codes} if codes else {}
    write_json(json_file, {**generated, **chosen, "seed": seed, "random_weights": list(random_weights)})
