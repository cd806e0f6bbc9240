"""The numbers of videos against the true ones, or of a finished run of any stage."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2tf.evaluation.stages.evaluate_run import RunOptions

STEPS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.commands.evaluate_generated import add_video_arguments
    from s2tf.commands.evaluate_options import Noted

    # Whatever is stored is noted as given.
    parser.register("action", None, Noted)
    parser.add_argument(
        "generated",
        type=Path,
        nargs="?",
        help="folder of videos or of portraits, a video, or a CSV of the columns generated, reference",
    )
    parser.add_argument("reference", type=Path, nargs="?", help="the true ones, by the same names")
    parser.add_argument(
        "--run", dest="run_folder", type=Path, metavar="RUN", help="instead: a finished run of any stage"
    )
    parser.add_argument(
        "--pipeline",
        type=Path,
        metavar="FOLDER",
        help="instead: draw the clips of --shards, HRTF from the true first frame and HRTF-SCFP from the speech alone",
    )
    add_video_arguments(parser.add_argument_group("videos"))
    parser.add_argument("--shards", help="other test data than the run's own")
    parser.add_argument("--clips", type=int, help="take the first so many clips (all)")
    parser.add_argument("--batch", type=int, default=32, help="portraits or frames at once (%(default)s)")
    parser.add_argument("--pictures", type=int, default=64, help="clips to keep pictures of (%(default)s)")
    parser.add_argument(
        "--device", default="cpu", help="such as cuda: of several processes on a machine each takes a GPU (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for the results (the run's own)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    parser.add_argument(
        "--wandb", metavar="PROJECT", help="write them into a W&B run's summary too: that of --run, or one of its own"
    )
    parser.add_argument(
        "--faces",
        metavar="vggface=FILE | network=FOLDER | judges",
        help="what compares faces (SCFP, and whose face a motion autoencoder's transfer shows): VGGFace's weights, a "
        "trained face encoder, or the judges of synthetic faces",
    )
    drawn = parser.add_argument_group("SCFP and motion diffusion")
    drawn.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    drawn.add_argument("--seeds", type=int, default=4, help="draws for a speech, for diversity (%(default)s)")
    drawn.add_argument("--steps", type=int, help=f"denoiser calls ({STEPS}; a pipeline's own)")
    drawn.add_argument("--sampler", choices=["ddim", "dpm-solver++"], default="ddim", help="(%(default)s)")
    drawn.add_argument("--guidance", type=float, default=1.0, help="1: none (%(default)s)")
    drawn.add_argument("--temperature", type=float, default=1.0, help="factor on the first noise (%(default)s)")
    scfp = parser.add_argument_group("SCFP")
    scfp.add_argument(
        "--attributes",
        default="none",
        metavar="facepp | classifier=FOLDER[,FOLDER] | judges | none",
        help="what reads gender and age: Face++, image classifiers of transformers, the judges (%(default)s)",
    )
    scfp.add_argument("--varied", type=int, default=32, help="speeches with several portraits (%(default)s)")
    rebuilt = parser.add_argument_group("motion autoencoder")
    rebuilt.add_argument(
        "--landmarks",
        default="none",
        metavar="judges | mediapipe | face-alignment | none",
        help="what reads lips, eyes and pose off the pictures (%(default)s)",
    )
    rebuilt.add_argument(
        "--perceptual",
        default="none",
        metavar="alex=FILE | vgg=FILE | judges | none",
        help="the perceptual distance: LPIPS on torchvision's weights, or features of the face judge (%(default)s)",
    )
    rebuilt.add_argument("--split", choices=["train", "val", "test"], default="test", help="(%(default)s)")
    rebuilt.add_argument(
        "--part", type=float, nargs=2, default=(0.0, 1.0), metavar=("FROM", "TO"), help="of each clip, as shares (all)"
    )
    rebuilt.add_argument("--stride", type=int, default=2, help="take every so many frames (%(default)s)")
    rebuilt.add_argument("--size", type=int, help="compare at this side, pixels (the network's; of videos 256)")
    rebuilt.add_argument("--pairs", type=int, default=64, help="of people who exchange motion (%(default)s)")
    motion = parser.add_argument_group("motion diffusion")
    motion.add_argument(
        "--autoencoder", type=Path, metavar="FOLDER", help="RUN/networks/motion_autoencoder of its codes"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write `metrics.json` and what belongs to it, and print the table."""
    from s2tf.commands.console import progress, table_console
    from s2tf.commands.evaluate_generated import keep, measure_generated, measure_pipeline
    from s2tf.commands.options import check_json, check_out, local_device
    from s2tf.errors import UserError
    from s2tf.evaluation.stages.evaluate_run import evaluate_run

    if sum(one is not None for one in (args.run_folder, args.generated, args.pipeline)) != 1:
        raise UserError("expected either GENERATED REFERENCE, folders of videos, or --run RUN, or --pipeline FOLDER")
    check_json(args.json, args.out)
    check_out(args.out)
    args.device = local_device(args.device)
    try:
        if args.pipeline is not None:
            return measure_pipeline(args)
        if args.run_folder is None:
            return measure_generated(args)
    except ValueError as error:
        raise UserError(str(error)) from error
    console, out = table_console(), args.out or args.run_folder
    options = _options(args)
    try:
        with progress(console) as report:
            scores = evaluate_run(args.run_folder, options, out, console, report)
    except ValueError as error:
        raise UserError(str(error)) from error
    from s2tf.evaluation.score_table import score_table

    console.print(score_table(scores))
    return keep(args, scores, console, out, args.json)


def _options(args: argparse.Namespace) -> "RunOptions":
    """The options for the stage that a finished run belongs to.

    Raises:
        UserError: The run is not finished or cannot be measured, or an option has no effect on it.
    """
    from dataclasses import fields

    from s2tf.commands.evaluate_options import refuse_others
    from s2tf.evaluation.stages.evaluate_run import RunOptions, stage_of

    refuse_others(args, stage_of(args.run_folder))
    given = {field.name: getattr(args, field.name) for field in fields(RunOptions) if hasattr(args, field.name)}
    return RunOptions(**{**given, "steps": args.steps or STEPS, "span": tuple(args.part)})
