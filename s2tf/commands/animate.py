"""Make a portrait speak (second stage)."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands import portrait
from s2tf.media.pictures import read_picture
from s2tf.pipelines.files import crop_face, speak

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("portrait", type=Path, help="a square picture of a face, framed as the pipeline's crops")
    portrait.add_speech_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the video to write, such as talking.mp4")
    add_gains(parser)
    parser.add_argument("--crop", action="store_true", help="find the face and crop it by the pipeline's own rule")


def add_gains(parser: argparse.ArgumentParser) -> None:
    """Declare the gains of the motion."""
    gains = parser.add_argument_group("gains: 0 none of it, 1 as the speech has it, 2 twice as much")
    gains.add_argument("--blink", type=float, help="blinks (as stored in the pipeline)")
    gains.add_argument("--head", type=float, help="the head's motion (as stored in the pipeline)")
    gains.add_argument("--lips", type=float, help="the lips' motion (as stored in the pipeline)")


def run(args: argparse.Namespace) -> int:
    """Generate the video."""
    from s2tf.pipelines.talking_face import TalkingFacePipeline

    waveform = portrait.read_speech(args.speech)
    pipeline = portrait.open_pipeline(TalkingFacePipeline, args)
    picture = read_picture(args.portrait)
    if args.crop:
        picture = crop_face(args.portrait, picture, pipeline)
    made = speak(pipeline, picture, waveform, args)
    portrait.report(args, pipeline.random_weights, made)
    return 0
