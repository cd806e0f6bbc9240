"""Measure a trained stage on its test data."""

import argparse

from s2tf.commands.console import announce, print_metrics
from s2tf.commands.options import add_trained_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments, which are the same as for `s2tf validate`."""
    add_trained_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the stage's metrics on the test split."""
    from s2tf.runs.fit import evaluate

    announce(f"measuring {args.experiment} on its test data")
    print_metrics(evaluate(args.experiment, "test", args.overrides, args.runs), args.json)
    return 0
