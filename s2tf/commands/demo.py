"""Run the whole chain at tiny width: speakers, shards, every stage, portraits and talking videos, their numbers."""

import argparse
import json
import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from s2tf.evaluation.measurement import Measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that the demo writes")
    parser.add_argument("--source", type=Path, help="folder of videos of speaking people (default: synthetic speakers)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the speakers and of every stage (default: 0)")
    parser.add_argument("--thorough", action="store_true", help="train each stage four times as long")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the numbers to FILE as well as to OUT/metrics.json (default: no file)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the chain and print its numbers beside their baselines and targets."""
    from rich.console import Console

    from s2tf.demo.results import measure, write_speakers
    from s2tf.demo.train import DemoSettings, make_shards, train_chain

    _quiet()
    console = Console()
    started = time.monotonic()
    # Train the chain and measure it.
    settings = DemoSettings(seed=args.seed, source=args.source, stretch=4 if args.thorough else 1)
    shards = make_shards(settings, args.out, console)
    chain = train_chain(settings, shards, args.out, console)
    results = write_speakers(settings, chain, args.out, console)
    measurements = measure(settings, results, console)
    seconds = time.monotonic() - started
    # Write the numbers, then print them.
    report = {
        "seed": settings.seed,
        "source": str(args.source) if args.source else "synthetic speakers",
        "seconds": round(seconds, 1),
        "stretch": settings.stretch,
        "stages": chain.seconds,
        "random_weights": chain.random_weights,
        "measurements": {measurement.name: measurement.to_json() for measurement in measurements},
    }
    for path in filter(None, (args.out / "metrics.json", args.json)):
        path.write_text(json.dumps(report, indent=2) + "\n")
    console.print(_table(measurements))
    if chain.random_weights:
        console.print(f"random weights, never trained: {', '.join(chain.random_weights)}")
    console.print(f"\n{len(results.speakers)} speakers in {args.out / 'speakers'}, {seconds / 60:.1f} minutes in all")
    return 0


def _table(measurements: "Sequence[Measurement]") -> "Table":
    """Build the table of the numbers beside their baselines, references and targets."""
    from rich.table import Table

    from s2tf.evaluation.score_table import aligned

    values, truths, baselines, targets = (
        aligned([getattr(one, name) for one in measurements]) for name in ("value", "truth", "baseline", "target")
    )
    marks = {True: "yes", False: "NO", None: ""}
    columns = {
        "what": [one.name for one in measurements],
        "value": values,
        "baseline": [f"{text} {one.baseline_name}" for text, one in zip(baselines, measurements, strict=True)],
        "ground truth": truths,
        "target": [
            f"{text} ({one.target_rule})" if one.target is not None else ""
            for text, one in zip(targets, measurements, strict=True)
        ],
        "reached": [marks[one.reached] for one in measurements],
    }
    table = Table(*columns, title="Numbers of speakers that no stage has seen", title_justify="left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _quiet() -> None:
    """Keep the messages of Lightning and other libraries off the demo's own progress lines."""
    names = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.fabric", "lightning")
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")
