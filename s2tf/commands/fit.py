"""Train one stage from its experiment YAML."""

import argparse
import json
import os
from pathlib import Path

RUN_FILE = "S2TF_RUN_FILE"
"""Environment variable: where the run folder is written, for a script that does not know what a sweep has drawn."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="an experiment YAML, such as experiments/conre.yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="such as trainer.max_steps=10, or +FILE.yaml: its entries on top",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are made (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the last logged numbers and the run folder here")


def run(args: argparse.Namespace) -> int:
    """Train, save the networks and print where the run is."""
    from s2tf.callbacks.progress import LiveProgress
    from s2tf.config import named_experiment
    from s2tf.runs import find_run, fit

    experiment, overrides = named_experiment([str(args.experiment), *args.overrides])
    found = find_run(experiment, overrides, args.runs)
    if file := os.environ.get(RUN_FILE):
        Path(file).write_text(f"{found.folder.resolve()}\n")
    result = fit(experiment, overrides, args.runs, [LiveProgress(found.experiment)])
    print(f"run folder: {result.run.folder}\nnetworks:   {result.run.networks}")
    if args.json:
        args.json.write_text(json.dumps({"run": str(result.run.folder), "metrics": result.metrics}, indent=2) + "\n")
    return 0
