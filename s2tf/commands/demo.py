"""Run the whole chain at tiny width: speakers, shards, every stage, portraits and talking videos, their numbers."""

import argparse
import time
from pathlib import Path

from s2tf.commands.console import write_json
from s2tf.commands.options import add_json, add_out_folder, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_out_folder(parser, "folder for everything that the demo writes")
    parser.add_argument("--source", type=Path, help="folder of videos of speaking people (default: synthetic speakers)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of the speakers and of every stage (default: 0)")
    parser.add_argument("--thorough", action="store_true", help="train each stage four times as long")
    add_json(parser, "the numbers, as in OUT/metrics.json,")


def run(args: argparse.Namespace) -> int:
    """Run the chain and print its numbers beside their baselines and targets."""
    from rich.console import Console

    from s2tf.demo.results import measure, write_speakers
    from s2tf.demo.table import measurement_table
    from s2tf.demo.train import DemoSettings, make_shards, train_chain
    from s2tf.runs.lightning_hints import hide_messages

    hide_messages()
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
    for path in (args.out / "metrics.json", args.json):
        write_json(path, report)
    console.print(measurement_table(measurements))
    if chain.random_weights:
        console.print(f"random weights, never trained: {', '.join(chain.random_weights)}")
    console.print(f"\n{len(results.speakers)} speakers in {args.out / 'speakers'}, {seconds / 60:.1f} minutes in all")
    return 0
