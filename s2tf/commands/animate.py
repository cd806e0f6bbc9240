"""Make a portrait speak (second stage)."""

import argparse
from pathlib import Path

from s2tf.commands.console import announce, counted, report_generated
from s2tf.commands.options import (
    add_background_argument,
    add_gain_arguments,
    add_generation_arguments,
    add_out_file,
    sampling_options,
    user_errors,
)
from s2tf.fault_tolerance.outputs import VIDEOS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "portrait", type=Path, help="a square picture of a face, cropped as in the pipeline's training data"
    )
    add_generation_arguments(parser)
    add_out_file(parser, "the video to write, such as talking.mp4", VIDEOS)
    add_gain_arguments(parser)
    parser.add_argument(
        "--crop",
        action="store_true",
        help="find the face and crop it by the pipeline's own rule (default: take the picture as it is)",
    )
    add_background_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Generate the video."""
    from s2tf.pipelines.files import crop_portrait, read_portrait, read_speech, write_video
    from s2tf.systems.registry import open_pipeline

    announce(args.reading)
    speech = read_speech(args.speech, announce)
    pipeline = open_pipeline(args.pipeline, args.device, "animate")
    if args.crop:
        portrait = crop_portrait(args.portrait, pipeline.crop_rule, args.background)
    else:
        portrait = read_portrait(args.portrait, args.background)
    with user_errors():
        generated = pipeline(speech, portrait, **sampling_options(args))
    video = write_video(counted(generated, args.speech), speech, args.out, generated.random_weights)
    report_generated(video.to_json(), args.seed, generated.random_weights, args.json, generated.codes)
    return 0
