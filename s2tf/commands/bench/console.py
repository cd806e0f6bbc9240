"""Output of the benchmarks: a table, and a file of the measurements."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import write_json

if TYPE_CHECKING:
    from rich.console import Console

    from datamodules.bench.measure import Entry


def show_entries(entries: "Iterable[Entry]", json_file: Path | None, console: "Console") -> None:
    """Print measurements beside their floors, and write them to a file if a path is given."""
    from rich.table import Table

    table, found = Table("what", "measured", "floor", "ratio", "unit"), {}
    for entry in entries:
        found[entry.name] = entry.to_json()
        table.add_row(entry.name, f"{entry.measured:.4g}", f"{entry.floor:.4g}", f"{entry.ratio:.2f}", entry.unit)
    console.print(table)
    write_json(json_file, found)
