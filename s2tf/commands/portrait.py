"""Generate the portrait of a speaker from their speech alone (first stage)."""

import argparse

from s2tf.commands.console import announce, report_generated
from s2tf.commands.options import add_generation_arguments, add_out_file, sampling_options, user_errors
from s2tf.fault_tolerance.outputs import PICTURES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_generation_arguments(parser)
    add_out_file(parser, "the picture to write, such as portrait.png", PICTURES)


def run(args: argparse.Namespace) -> int:
    """Generate the portrait."""
    from s2tf.media.pictures import write_picture
    from s2tf.pipelines.files import read_speech
    from s2tf.systems.registry import open_pipeline

    announce(args.reading)
    speech = read_speech(args.speech, announce)
    pipeline = open_pipeline(args.pipeline, args.device, "portrait")
    with user_errors():
        generated = pipeline(speech, **sampling_options(args))
    write_picture(args.out, generated.image, generated.random_weights)
    record = {"out": str(args.out), "size": generated.image.shape[0]}
    report_generated(record, args.seed, generated.random_weights, args.json)
    return 0
