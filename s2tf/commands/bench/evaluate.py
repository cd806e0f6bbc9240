"""Measure the speed of `s2tf evaluate videos` beside the speed of its networks and detectors alone."""

import argparse
from pathlib import Path

from s2tf.commands.bench.console import show_entries
from s2tf.commands.options import add_device, add_json, at_least, side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--metrics", default="all", metavar="NAME[,NAME]", help="metrics as in `s2tf evaluate videos` (default: all)"
    )
    parser.add_argument("--clips", type=at_least(1, 1000), default=2, help="number of clips (default: 2)")
    parser.add_argument(
        "--frames", type=at_least(1, 10_000), default=50, help="frames in each clip, 25 per second (default: 50)"
    )
    parser.add_argument("--size", type=side, default=256, help="side of the frames in pixels (default: 256)")
    add_device(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="folder of the public weight files (default: random weights, which take the same time)",
    )
    add_json(parser, "the measurements")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rich.console import Console

    from s2tf.evaluation.progress import progress
    from s2tf.evaluation.videos.bench import EvaluationBench, measure_evaluation

    bench = EvaluationBench(args.metrics, args.clips, args.frames, args.size, args.device, args.weights)
    console = Console()
    with progress(console, "measuring the speed of the evaluation") as report:
        entry = measure_evaluation(bench, console, report)
    show_entries([entry], args.json, console)
    return 0
