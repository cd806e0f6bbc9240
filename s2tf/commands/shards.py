"""Describe a shard folder, check every byte of it, or write a picture with faces of its clips."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.console import write_json
from s2tf.commands.options import add_check, add_json, at_least, seed
from s2tf.fault_tolerance.outputs import PICTURES, check_output_file

if TYPE_CHECKING:
    from rich.table import Table

    from datamodules.shards.verify import ShardReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a shard folder written by `s2tf prepare`")
    parser.add_argument("--verify", action="store_true", help="decode every sample and list the broken ones")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE",
        help="write faces of random clips into the picture FILE, a PNG or JPEG (default: no picture)",
    )
    parser.add_argument(
        "--sheet-clips",
        type=at_least(1, 1000),
        default=24,
        help="number of clips in that picture (default: 24)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the choice of clips (default: %(default)s)")
    add_json(parser, "the report")
    add_check(parser, lambda args: check_output_file("--sheet", args.sheet, PICTURES))


def run(args: argparse.Namespace) -> int:
    """Print the report and write the picture; returns 1 for broken samples or an identity in two splits."""
    from rich.console import Console

    from datamodules.shards.verify import inspect, random_rows
    from s2tf.errors import UserError
    from s2tf.evaluation.progress import progress
    from s2tf.figures.sheet import draw_contact_sheet

    console = Console()
    try:
        with progress(console, f"reading {args.folder}") as show:
            report = inspect(args.folder, args.verify, lambda done, total: show(f"{done} of {total} shards read"))
    except ValueError as error:
        raise UserError(str(error)) from error
    # The report, on the terminal and as JSON.
    console.print(_table(args.folder, report))
    for broken in report.broken:
        console.print(f"broken: {broken.shard}: {broken.reason}", highlight=False, soft_wrap=True)
    for identity in report.shared_identities:
        console.print(f"in more than one split: {identity}", highlight=False)
    if args.verify and not report.broken:
        console.print("every byte was read; no sample is broken")
    write_json(args.json, report.to_json())
    # The contact sheet.
    if args.sheet:
        try:
            draw_contact_sheet(random_rows(args.folder, args.sheet_clips, args.seed)).save(args.sheet)
        except ValueError as error:
            raise UserError(f"--sheet {args.sheet}: {error}") from error
        console.print(f"contact sheet: {args.sheet}", highlight=False)
    return int(bool(report.broken or report.shared_identities))


def _table(folder: Path, report: "ShardReport") -> "Table":
    from rich.table import Table

    # A column for each split.
    splits = {name: split.to_json() for name, split in report.splits.items()}
    table = Table(title=str(folder), title_justify="left")
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right")
    # A line for each count, and how it is written.
    lines: dict[str, Any] = {
        "shards": lambda split: str(split["shards"]),
        "MB": lambda split: f"{split['bytes'] / 1e6:.1f}",
        "clips": lambda split: str(split["clips"]),
        "hours": lambda split: f"{split['hours']:.3f}",
        "identities": lambda split: str(split["identities"]),
        "female, male, unknown": lambda split: ", ".join(str(count) for count in split["genders"].values()),
        "with age": lambda split: str(split["with_age"]),
        "pictures": lambda split: f"{split['pictures']} of {', '.join(split['sizes']) or 0} px",
        "data sets": lambda split: ", ".join(split["datasets"]),
        "without sound": lambda split: str(split["silent"]),
        "with face mesh": lambda split: str(split["with_mesh"]),
        "with motion codes": lambda split: str(split["with_motion"]),
        "with speech features": lambda split: str(split["with_features"]),
    }
    for name, text in lines.items():
        table.add_row(name, *(text(split) for split in splits.values()))
    return table
