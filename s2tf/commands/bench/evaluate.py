"""Measure the speed of `s2tf evaluate videos`, beside that of its networks and detectors alone."""

import argparse
from pathlib import Path

from s2tf.commands.bench.console import show_entries
from s2tf.commands.options import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--metrics", default="all", metavar="NAME[,NAME]", help="metrics as in `s2tf evaluate videos` (default: all)"
    )
    parser.add_argument("--clips", type=positive, default=2, help="number of clips (default: 2)")
    parser.add_argument("--frames", type=positive, default=50, help="frames of each clip, 25 a second (default: 50)")
    parser.add_argument("--size", type=positive, default=256, help="side of the frames, pixels (default: 256)")
    parser.add_argument("--device", default="cpu", help="device of the networks (default: cpu)")
    parser.add_argument(
        "--weights", type=Path, metavar="FOLDER", help="folder of the public files; random networks are as slow"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to FILE")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rich.console import Console

    from s2tf.evaluation.videos.bench import EvaluationBench, measure_evaluation

    bench = EvaluationBench(args.metrics, args.clips, args.frames, args.size, args.device, args.weights)
    console = Console()
    with console.status("") as status:
        entry = measure_evaluation(bench, console, status.update)
    show_entries([entry], args.json, console)
    return 0
