"""Measure a trained stage on its test data."""

import argparse

from s2tf.commands import validate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments, the same as for `s2tf validate`."""
    validate.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the stage's metrics on the test split."""
    return validate.run(args, split="test")
