"""The whole chain at tiny width: speakers, shards, every stage, portraits and talking videos, numbers and baselines."""

import argparse
import json
import logging
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2tf.evaluation.measurement import Measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder for everything the demo makes")
    parser.add_argument(
        "--source", type=Path, help="folder of videos of speaking people; synthetic speakers without it"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the speakers and of every stage (%(default)s)")
    parser.add_argument("--thorough", action="store_true", help="train each stage four times as long")
    parser.add_argument("--json", type=Path, help="write the metrics here as well as to OUT/metrics.json")


def run(args: argparse.Namespace) -> int:
    """Run the chain and print what was reached beside its baselines."""
    from rich.console import Console

    from s2tf.demo.results import measure, write_speakers
    from s2tf.demo.train import DemoPlan, make_shards, train_chain

    _quiet()
    console = Console()
    started = time.monotonic()
    plan = DemoPlan(seed=args.seed, source=args.source, stretch=4 if args.thorough else 1)
    shards = make_shards(plan, args.out, console)
    chain = train_chain(plan, shards, args.out, console)
    results = write_speakers(plan, chain, args.out, console)
    measurements = measure(plan, chain, results, console)
    seconds = time.monotonic() - started
    report = {
        "seed": plan.seed,
        "source": str(args.source) if args.source else "synthetic speakers",
        "seconds": round(seconds, 1),
        "stretch": plan.stretch,
        "stages": chain.seconds,
        "random_weights": chain.random_weights,
        "measurements": {measurement.name: measurement.to_json() for measurement in measurements},
    }
    for path in filter(None, (args.out / "metrics.json", args.json)):
        path.write_text(json.dumps(report, indent=2) + "\n")
    _print_table(console, measurements, chain.random_weights)
    console.print(f"\n{len(results.speakers)} speakers in {args.out / 'speakers'}, {seconds / 60:.1f} minutes in all")
    return 0


def _print_table(console: object, measurements: "list[Measurement]", random_weights: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    table = Table(title="What was reached, on speakers that no stage has seen")
    for column in ("what", "reached", "baseline", "truth", "must reach", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    marks = {True: "yes", False: "NO", None: ""}
    for m in measurements:
        baseline = f"{_number(m.baseline)} {m.baseline_name}".strip()
        target = f"{_number(m.target)} ({m.target_rule})" if m.target is not None else ""
        table.add_row(m.name, _number(m.value), baseline, _number(m.truth), target, marks[m.reached])
    console.print(table)
    if random_weights:
        console.print(f"randomly initialised and never trained: {', '.join(random_weights)}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _quiet() -> None:
    """Keep Lightning's and other libraries' chatter off the demo's own progress lines."""
    names = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.fabric", "lightning")
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")
