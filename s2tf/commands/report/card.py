"""Write the model card of a pipeline: its data, training, networks and measurements, read from their files."""

import argparse
from pathlib import Path

from s2tf.commands.console import announce


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pipeline", type=Path, metavar="FOLDER", help="pipeline folder, which gets MODEL_CARD.md")
    runs = "finished runs of its stages, in the order of training (default: none)"
    parser.add_argument("--runs", type=Path, nargs="+", default=[], metavar="RUN", help=runs)
    scores = "metrics.json of evaluations, or their folders (default: none)"
    parser.add_argument("--scores", type=Path, nargs="+", default=[], metavar="FILE", help=scores)
    parser.add_argument("--template", type=Path, metavar="FILE", help="Markdown to fill (default: the packaged one)")


def run(args: argparse.Namespace) -> int:
    """Write the card."""
    from s2tf.reporting.model_card import TEMPLATE, CardSources, write_card

    announce(f"card: {write_card(CardSources(args.pipeline, args.runs, args.scores, args.template or TEMPLATE))}")
    return 0
