"""Draw the portrait of a speaker from their speech alone (first stage)."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.media.pictures import write_picture
from s2tf.pipelines.files import open_pipeline, read_speech

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_speech_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the picture to write, such as portrait.png")


def add_speech_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every generating command takes."""
    parser.add_argument("speech", type=Path, help="a sound file, or a video's sound track")
    parser.add_argument("--pipeline", type=Path, required=True, help="a pipeline folder, such as demo/pipeline")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same result (%(default)s)")
    parser.add_argument("--steps", type=int, help="denoiser calls (as stored in the pipeline)")
    parser.add_argument("--sampler", choices=["ddim", "dpm-solver++"], help="(as stored in the pipeline)")
    parser.add_argument("--device", default="cpu", help="such as cuda (%(default)s)")
    parser.add_argument("--json", type=Path, help="write what was made here")


def run(args: argparse.Namespace) -> int:
    """Generate the portrait."""
    from s2tf.pipelines.portrait import PortraitPipeline

    waveform = read_speech(args.speech)
    pipeline = open_pipeline(PortraitPipeline, args)
    image = pipeline(waveform, steps=args.steps, sampler=args.sampler, seed=args.seed).image
    write_picture(args.out, image, pipeline.random_weights)
    report(args, pipeline.random_weights, {"out": str(args.out), "size": image.shape[0]})
    return 0


def report(args: argparse.Namespace, random_weights: tuple[str, ...], made: dict[str, Any]) -> None:
    """Print what was made, warn of random weights, and write both as JSON where asked for."""
    print(", ".join(f"{name} {value}" for name, value in made.items()))
    if random_weights:
        from s2tf.media.pictures import RANDOM_NOTE

        print(f"{RANDOM_NOTE}: {', '.join(random_weights)} were never trained; this is no result")
    if args.json:
        record = {**made, "seed": args.seed, "random_weights": list(random_weights)}
        args.json.write_text(json.dumps(record, indent=2) + "\n")
