"""What options of several commands are read by."""

import argparse


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number from 1")
    return int(text)
