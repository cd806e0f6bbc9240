"""Measure a trained stage on its validation data."""

import argparse

from s2tf.commands.console import announce, print_metrics
from s2tf.commands.options import add_trained_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: the same experiment and overrides that trained the stage."""
    add_trained_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the stage's metrics on the validation split."""
    from s2tf.runs.fit import evaluate

    announce(f"measuring {args.experiment} on its validation data")
    print_metrics(evaluate(args.experiment, "validate", args.overrides, args.runs), args.json)
    return 0
