"""Generate the video of a talking face from speech alone (both stages)."""

import argparse
from pathlib import Path

from s2tf.commands.console import report_generated
from s2tf.commands.options import add_gain_arguments, add_generation_arguments, sampling_options
from s2tf.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_generation_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the video to write, such as talking.mp4")
    add_gain_arguments(parser)
    parser.add_argument(
        "--portrait", type=Path, metavar="FILE", help="write the generated portrait to FILE as well (default: no file)"
    )


def run(args: argparse.Namespace) -> int:
    """Generate the video, and write the portrait if a path is given."""
    from s2tf.media.pictures import write_picture
    from s2tf.pipelines.files import read_speech, write_video
    from s2tf.systems.registry import open_pipeline

    speech = read_speech(args.speech)
    pipeline = open_pipeline(args.pipeline, args.device, "generate")
    try:
        generated = pipeline(speech, **sampling_options(args))
    except ValueError as error:
        raise UserError(str(error)) from error
    if args.portrait:
        write_picture(args.portrait, generated.portrait, generated.random_weights)
    video = write_video(generated, speech, args.out, generated.random_weights)
    report_generated(video.to_json(), args.seed, generated.random_weights, args.json)
    return 0
