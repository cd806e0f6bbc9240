"""What `s2tf evaluate` does with results of any system: videos, portraits, and what a pipeline draws."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from s2tf.evaluation.process_share import Part
    from s2tf.evaluation.scores import Scores
    from s2tf.evaluation.videos.evaluate import VideoTest

SMALLEST = 16
COMPARED_SIZE = 256
"""Pixels, as in the paper."""
INCOMPLETE = 3
"""Exit status where numbers are written, but not all that was asked for: a metric without weights, a failed clip."""
SHOWN_FAILURES = 10


@dataclass(frozen=True)
class VideoJob:
    """What is measured, and where the results go."""

    test: "VideoTest"
    out: Path
    json_file: Path | None


def add_video_arguments(group: "argparse._ArgumentGroup") -> None:
    """Declare what only videos need."""
    from s2tf.evaluation.videos.open_measures import MEASURES

    group.add_argument(
        "--metrics", default="all", metavar="NAME[,NAME]", help=f"of {', '.join(MEASURES)} (%(default)s)"
    )
    group.add_argument(
        "--protocol",
        choices=["tracked", "frame"],
        default="tracked",
        help="what SyncNet sees: the crop around the tracked face, or the whole frame (%(default)s)",
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="where the networks' public files lie under their own names (S2TF_WEIGHTS, else weights below the cache)",
    )
    group.add_argument("--syncnet", type=Path, metavar="FOLDER", help="RUN/networks/syncnet instead of the public one")
    group.add_argument(
        "--allow-random", nargs=0, const=True, default=False, help="random networks for absent files; marks the numbers"
    )
    group.add_argument("--process", metavar="I/N", help="measure this share of the clips (as SLURM or torchrun say)")
    group.add_argument("--name", help="of the system, for reports (the folder's)")


def measure_generated(args: argparse.Namespace) -> int:
    """Measure videos, or portraits: exit status 0, or `INCOMPLETE` where a metric or a clip is missing."""
    from s2tf.commands.evaluate_options import PORTRAITS, VIDEOS, refuse_others
    from s2tf.commands.options import check_out, refuse_overwriting
    from s2tf.evaluation.portraits.find_pairs import holds_pictures
    from s2tf.evaluation.result_files import results_of

    out = args.out or args.generated.resolve().with_name(f"{_system(args.generated)}-evaluation")
    check_out(out)
    refuse_overwriting(args.generated, results_of(out, args.json))
    if args.reference is not None and holds_pictures(args.generated) and holds_pictures(args.reference):
        refuse_others(args, PORTRAITS)
        return _pictures(args, out)
    refuse_others(args, VIDEOS)
    return _measure_videos(args, [VideoJob(_video_test(args), out, args.json)])


def _pictures(args: argparse.Namespace, out: Path) -> int:
    from s2tf.commands.console import progress, table_console
    from s2tf.errors import UserError
    from s2tf.evaluation.open_readers import open_attributes, open_faces
    from s2tf.evaluation.portraits.evaluate import PictureTest, evaluate_pictures
    from s2tf.evaluation.portraits.find_pairs import find_pictures
    from s2tf.evaluation.portraits.read_picture import FaceReaders
    from s2tf.evaluation.process_share import parse_part
    from s2tf.evaluation.result_files import discard_results

    if args.faces is None:
        raise UserError("--faces must be given for portraits: vggface=FILE, network=FOLDER or judges")
    console, part = table_console(), parse_part(args.process)
    pairs = find_pictures(args.generated, args.reference)
    faces = open_faces(args.faces, args.device, console)
    readers = FaceReaders(faces, open_attributes(args.attributes, args.device, console))
    _announce(part, console)
    discard_results(out, args.json)
    with progress(console) as report:
        test = PictureTest(args.name or _system(args.generated), pairs, readers, part)
        scores = evaluate_pictures(test, out, report)
    return _finish(args, scores, part, console, out, args.json)


def measure_pipeline(args: argparse.Namespace) -> int:
    """Measure the configurations of a pipeline, one after the other."""
    from s2tf.commands.evaluate_options import PIPELINE, refuse_others
    from s2tf.commands.options import check_json
    from s2tf.errors import UserError
    from s2tf.evaluation.process_share import parse_part
    from s2tf.evaluation.videos.evaluate import VideoTest
    from s2tf.evaluation.videos.pipeline_clips import (
        Drawing,
        clips_with_sound,
        configurations_of,
        drawn_pairs,
        fingerprint_of,
        open_pipeline,
    )

    refuse_others(args, PIPELINE)
    if args.shards is None or args.out is None:
        raise UserError("--pipeline: --shards, the test data, and --out, a folder for the results, must be given")
    if (args.sampler, args.guidance, args.temperature) != ("ddim", 1.0, 1.0):
        raise UserError("--pipeline draws as its settings say: leave out --sampler, --guidance and --temperature")
    pipeline = open_pipeline(args.pipeline, args.device)
    clips = clips_with_sound(args.shards, args.split, args.clips)
    size, part, fingerprint = _size(args), parse_part(args.process), fingerprint_of(pipeline)
    jobs = []
    for name in configurations_of(pipeline):
        out = args.out / name
        drawing = Drawing(pipeline, name, fingerprint, args.seed, args.steps, out / "videos" if args.pictures else None)
        pairs = drawn_pairs(clips, drawing)
        test = VideoTest(pairs, {}, size, name, part, pipeline.random_weights, drawing.name)
        json_file = args.json and args.json.with_stem(f"{args.json.stem}-{name}")
        check_json(json_file, args.out)
        jobs.append(VideoJob(test, out, json_file))
    return _measure_videos(args, jobs)


def _measure_videos(args: argparse.Namespace, jobs: Sequence[VideoJob]) -> int:
    """One job after the other; the worst exit status."""
    from s2tf.commands.console import progress, table_console
    from s2tf.evaluation.result_files import discard_results
    from s2tf.evaluation.videos.evaluate import evaluate_videos
    from s2tf.evaluation.videos.open_measures import open_measures

    console, worst = table_console(), 0
    for job in jobs:
        measures, not_computed = open_measures(args, console)
        if job is jobs[0]:
            # Of the later ones too: the first may be killed. Not before it is clear that the command is a right one.
            for one in jobs:
                discard_results(one.out, one.json_file)
        _announce(job.test.part, console)
        with progress(console) as report:
            scores = evaluate_videos(job.test, measures, not_computed, job.out, report)
        worst = max(worst, _finish(args, scores, job.test.part, console, job.out, job.json_file))
    return worst


def _announce(part: "Part", console: "Console") -> None:
    if part.count > 1:
        console.print(f"measuring share {part.index + 1} of {part.count} (--process 1/1 for all)")


def _finish(
    args: argparse.Namespace,
    scores: "Scores | None",
    part: "Part",
    console: "Console",
    out: Path,
    json_file: Path | None,
) -> int:
    """Report the scores, if this process was the one to merge all shares."""
    if scores is None:
        text = f"share {part.index + 1} of {part.count} is done; clips of other shares are still missing in {out}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        return 0
    return _report(args, scores, console, out, json_file)


def _report(args: argparse.Namespace, scores: "Scores", console: "Console", out: Path, json_file: Path | None) -> int:
    """Print the numbers and what is missing of them."""
    from s2tf.evaluation.score_table import score_table

    console.print(score_table(scores))
    lines = [f"warning: {text}" for text in scores.warnings]
    lines += [f"not computed: {what}: {reason}" for what, reason in scores.not_computed.items()]
    lines += [f"failed: {one['clip']}: {one['what']}: {one['reason']}" for one in scores.failures[:SHOWN_FAILURES]]
    if len(scores.failures) > SHOWN_FAILURES:
        lines.append(f"and {len(scores.failures) - SHOWN_FAILURES} more, see metrics.json")
    for line in lines:
        # A path that is broken cannot be copied.
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return keep(args, scores, console, out, json_file)


def _system(generated: Path) -> str:
    """What a system is called whose videos lie there; a folder's name may have a dot in it."""
    return generated.resolve().name if generated.is_dir() else generated.stem


def _size(args: argparse.Namespace) -> int:
    from s2tf.errors import UserError

    if args.size is not None and args.size < SMALLEST:
        raise UserError(f"--size {args.size}: expected {SMALLEST} pixels at least")
    if args.clips is not None and args.clips < 1:
        raise UserError(f"--clips {args.clips}: expected 1 at least")
    return args.size or COMPARED_SIZE


def _video_test(args: argparse.Namespace) -> "VideoTest":
    from s2tf.evaluation.process_share import parse_part
    from s2tf.evaluation.videos.evaluate import VideoTest
    from s2tf.evaluation.videos.find_pairs import find_pairs

    found, size = find_pairs(args.generated, args.reference), _size(args)
    # The first clips, whether there is something to measure of them or not.
    first = set(sorted([*(pair.key for pair in found.pairs), *found.missing])[: args.clips])
    pairs = [pair for pair in found.pairs if pair.key in first]
    missing = {key: one for key, one in found.missing.items() if key in first}
    return VideoTest(pairs, missing, size, args.name or _system(args.generated), parse_part(args.process))


def keep(args: argparse.Namespace, scores: "Scores", console: "Console", out: Path, json_file: Path | None) -> int:
    """Say where the numbers are, and write them wherever else they are wanted."""
    console.print(f"written to {out}", highlight=False, markup=False, soft_wrap=True)
    if json_file:
        json_file.write_text(json.dumps(scores.to_json(), indent=2) + "\n")
    if args.wandb:
        from s2tf.reporting.wandb_records import log_record
        from s2tf.runs.folder import WANDB_ID_FILE, read_config

        seed, run_id, folder = args.seed, None, out
        if args.run_folder is not None:
            folder, seed = args.run_folder, read_config(args.run_folder)["seed_everything"]
            logged = folder / WANDB_ID_FILE
            run_id = logged.read_text().strip() if logged.is_file() else None
        log_record(scores.to_json(), seed, args.wandb, folder, run_id)
    return 0 if scores.complete else INCOMPLETE
