"""From speech alone to the video of a talking face (both stages)."""

import argparse
from pathlib import Path

from s2tf.commands import animate, portrait


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    portrait.add_speech_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the video to write, such as talking.mp4")
    animate.add_gains(parser)
    parser.add_argument("--portrait", type=Path, metavar="P.png", help="write the portrait here too")


def run(args: argparse.Namespace) -> int:
    """Generate the portrait and the video."""
    from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

    waveform = portrait.read_speech(args.speech)
    pipeline = portrait.open_pipeline(SpeechToTalkingFacePipeline, args)
    image = pipeline.portrait(waveform, steps=args.steps, sampler=args.sampler, seed=args.seed).image
    if args.portrait:
        portrait.write_picture(args.portrait, image, pipeline.random_weights)
    made = animate.speak(pipeline.talking_face, image, waveform, args)
    portrait.report(args, pipeline.random_weights, made)
    return 0
