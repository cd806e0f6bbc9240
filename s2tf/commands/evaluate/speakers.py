"""Measure a pipeline by the demo's numbers: faces and videos of unseen synthetic speakers, from their speech alone."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console, write_json
from s2tf.commands.options import add_json, add_out_folder, positive, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pipeline", type=Path, metavar="FOLDER", help="folder of the pipeline")
    parser.add_argument("--shards", type=Path, required=True, help="shard folder of synthetic speakers")
    add_out_folder(parser, "folder for the numbers, portraits and videos")
    parser.add_argument("--seed", type=seed, default=0, help="seed of the noise (default: 0)")
    compared = "speakers whose face also speaks with another speaker's speech, as a baseline (default: 8)"
    parser.add_argument("--compared", type=positive, default=8, metavar="N", help=compared)
    add_json(parser, "the numbers")


def run(args: argparse.Namespace) -> int:
    """Generate and measure, and print the numbers beside their baselines and targets."""
    from s2tf.demo.measure_pipeline import SpeakerTest, measure_pipeline
    from s2tf.demo.table import measurement_table

    console = table_console()
    scores = measure_pipeline(args.pipeline, SpeakerTest(args.shards, args.seed, args.compared), args.out, console)
    console.print(measurement_table(scores.measurements))
    write_json(args.json, scores.to_json())
    return 0
