"""Measure a pipeline on test clips: HRTF from the first frame, and HRTF-SCFP from the speech alone."""

import argparse
from pathlib import Path

from s2tf.commands.console import progress, table_console
from s2tf.commands.evaluate.console import Destination, announce_part, finish
from s2tf.commands.evaluate.options import (
    add_clips_argument,
    add_measure_arguments,
    add_part_arguments,
    add_result_arguments,
    measure_choices,
)
from s2tf.commands.options import add_removed, check_json, check_out, local_device, positive, user_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pipeline", type=Path, metavar="FOLDER", help="folder of the pipeline")
    parser.add_argument("--shards", required=True, help="shard folder or address of the test data")
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="split of the clips (default: test)"
    )
    add_result_arguments(parser, "", required=True)
    add_clips_argument(parser)
    add_part_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    parser.add_argument("--steps", type=positive, help="number of denoising steps (default: as stored in the pipeline)")
    parser.add_argument(
        "--no-videos", action="store_true", help="do not keep the generated videos (default: keep them in OUT)"
    )
    add_removed(parser, "--pictures", "--no-videos instead of --pictures 0")
    add_measure_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the configurations of the pipeline, one after the other; returns the worst exit status."""
    from s2tf.evaluation.process_share import choose_part
    from s2tf.evaluation.result_files import discard_results
    from s2tf.evaluation.videos.evaluate import evaluate_videos
    from s2tf.evaluation.videos.open_measures import open_measures
    from s2tf.evaluation.videos.pipeline_clips import (
        Generation,
        clips_with_sound,
        configurations_of,
        fingerprint_of,
        generated_pairs,
        open_pipeline,
    )
    from s2tf.evaluation.videos.request import COMPARED_SIZE, VideoEvaluation

    # Check the options, and open everything that all configurations share.
    check_json(args.json, args.out)
    check_out(args.out)
    args.device = local_device(args.device)
    console, part = table_console(), choose_part(args.part)
    choices = measure_choices(args)
    pipeline = open_pipeline(args.pipeline, args.device)
    clips, fingerprint = clips_with_sound(args.shards, args.split, args.clips), fingerprint_of(pipeline)
    destinations = {name: _destination(args, name) for name in configurations_of(pipeline)}
    worst = 0
    for name, destination in destinations.items():
        # New measures for each configuration, since a measure adds up everything that it has measured.
        with user_errors():
            opened = open_measures(choices, console)
        if name == next(iter(destinations)):
            # Delete old results of the later configurations too, since this process may be killed during the first.
            for one in destinations.values():
                discard_results(one.out, one.json_file)
        videos = None if args.no_videos else destination.out / "videos"
        generation = Generation(pipeline, name, fingerprint, args.seed, args.steps, videos)
        evaluation = VideoEvaluation(
            name=name,
            pairs=generated_pairs(clips, generation),
            opened=opened,
            out=destination.out,
            size=args.size or COMPARED_SIZE,
            part=part,
            random_weights=pipeline.random_weights,
            generator=generation.name,
        )
        # Measure; the worst exit status counts.
        announce_part(part, console)
        with user_errors(), progress(console) as report:
            scores = evaluate_videos(evaluation, report)
        worst = max(worst, finish(scores, part, destination, console))
    return worst


def _destination(args: argparse.Namespace, configuration: str) -> Destination:
    json_file = args.json and args.json.with_stem(f"{args.json.stem}-{configuration}")
    check_json(json_file, args.out)
    return Destination(args.out / configuration, json_file, args.wandb, args.seed)
