"""Measure the arms of an ablation, as in Tables X and XI: each is assembled and speaks the test clips."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console
from s2tf.commands.evaluate.console import measure_each
from s2tf.commands.evaluate.options import add_speech_driven_arguments, speech_driven_test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.systems.registry import run_inputs

    parser.add_argument(
        "--arm",
        action="append",
        nargs="+",
        required=True,
        metavar=("NAME", "RUN=FOLDER"),
        help="an arm: its name and its own runs, such as baseline motion-autoencoder=F motion-diffusion=F; its results "
        "are written to OUT/NAME; repeat it for each arm",
    )
    shared = parser.add_argument_group("finished runs that all arms share, except those with a run of their own")
    for one in run_inputs():
        shared.add_argument(one.option, type=Path, metavar="RUN", help=one.help)
    add_speech_driven_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the arms from each clip's first frame, one after the other; returns the worst exit status."""
    from s2tf.evaluation.videos.arms import open_arm, read_arms
    from s2tf.systems.registry import run_inputs

    given = {one.name: getattr(args, one.name) for one in run_inputs()}
    arms = read_arms(args.arm, {name: path for name, path in given.items() if path is not None})
    # Every arm is assembled once before the first is measured, so that a wrong one stops the command before the work.
    for arm in arms.values():
        open_arm(arm, args.device)
    test = speech_driven_test(args)
    return measure_each(args, list(arms), lambda name: open_arm(arms[name], args.device), test, table_console())
