"""Generate the video of a talking face from speech alone (both stages)."""

import argparse
from pathlib import Path

from s2tf.commands.console import announce, counted, report_generated
from s2tf.commands.options import (
    add_check,
    add_gain_arguments,
    add_generation_arguments,
    add_out_file,
    sampling_options,
    user_errors,
)
from s2tf.fault_tolerance.outputs import PICTURES, VIDEOS, check_output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_generation_arguments(parser)
    add_out_file(parser, "the video to write, such as talking.mp4", VIDEOS)
    add_gain_arguments(parser)
    parser.add_argument(
        "--portrait", type=Path, metavar="FILE", help="write the generated portrait to FILE as well (default: no file)"
    )
    add_check(parser, lambda args: check_output_file("--portrait", args.portrait, PICTURES, created=True))


def run(args: argparse.Namespace) -> int:
    """Generate the video, and write the portrait if a path is given."""
    from s2tf.media.pictures import write_picture
    from s2tf.pipelines.files import read_speech, write_video
    from s2tf.systems.registry import open_pipeline

    announce(args.reading)
    speech = read_speech(args.speech, announce)
    pipeline = open_pipeline(args.pipeline, args.device, "generate")
    with user_errors():
        generated = pipeline(speech, **sampling_options(args))
    if args.portrait:
        write_picture(args.portrait, generated.portrait, generated.random_weights)
    video = write_video(counted(generated, args.speech), speech, args.out, generated.random_weights)
    report_generated(video.to_json(), args.seed, generated.random_weights, args.json, generated.codes)
    return 0
