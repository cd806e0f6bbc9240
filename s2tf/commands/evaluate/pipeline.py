"""Measure a pipeline on test clips: HRTF from the first frame, and HRTF-SCFP from the speech alone."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console
from s2tf.commands.evaluate.console import measure_each
from s2tf.commands.evaluate.options import add_speech_driven_arguments, speech_driven_test
from s2tf.commands.options import add_removed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pipeline", type=Path, metavar="FOLDER", help="folder of the pipeline")
    add_speech_driven_arguments(parser)
    add_removed(parser, "--pictures", "--no-videos instead of --pictures 0")


def run(args: argparse.Namespace) -> int:
    """Measure the configurations of the pipeline, one after the other; returns the worst exit status."""
    from s2tf.evaluation.videos.evaluate_pipeline import Subject
    from s2tf.evaluation.videos.pipeline_clips import configurations_of, open_pipeline

    pipeline = open_pipeline(args.pipeline, args.device)
    names = configurations_of(pipeline)
    return measure_each(
        args, names, lambda name: Subject(name, pipeline, name), speech_driven_test(args), table_console()
    )
