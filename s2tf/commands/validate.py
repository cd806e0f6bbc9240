"""Measure a trained stage on its validation data."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: the same experiment and overrides that trained the stage."""
    parser.add_argument("experiment", type=Path, help="the experiment YAML that was trained")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the same overrides as for `s2tf fit`")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers here")


def run(args: argparse.Namespace, split: str = "validate") -> int:
    """Print the stage's metrics on `split`."""
    from s2tf.runs.fit import evaluate

    metrics = evaluate(args.experiment, split, args.overrides, args.runs)
    for name, value in sorted(metrics.items()):
        print(f"{name:32s} {value:.6g}")
    if args.json:
        args.json.write_text(json.dumps(metrics, indent=2) + "\n")
    return 0
