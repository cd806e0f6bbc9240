"""Options that several evaluations share, and the choices that follow from them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.options import add_device, add_json, add_out_folder, add_removed, part, positive, seed, side
from s2tf.errors import UserError

if TYPE_CHECKING:
    from s2tf.evaluation.videos.evaluate_pipeline import SpeechDrivenTest
    from s2tf.evaluation.videos.open_measures import MeasureChoices

FACES = "vggface=FILE[,bgr][,before_relu] | network=FOLDER | dlib | judges"
LANDMARKS = "judges | mediapipe | face-alignment | dlib"
PERCEPTUAL = "alex=FILE | vgg=FILE | judges"
ATTRIBUTES = "facepp | classifier=FOLDER[,FOLDER] | judges | none"
OF_METRIC = {
    "protocol": "sync",
    "syncnet": "sync",
    "perceptual": "lpips",
    "faces": "identity",
    "landmarks": "landmarks",
}
"""Option -> the metric that it belongs to."""


def add_result_arguments(parser: argparse.ArgumentParser, out: str, required: bool = False) -> None:
    """Declare the device, and the places for the numbers.

    Args:
        parser: Parser of the command.
        out: Default of `--out`, in words.
        required: True if `--out` must be given.
    """
    add_device(parser, ": each process on a machine then takes its own GPU")
    add_out_folder(parser, "folder for the results" + ("" if required else f" (default: {out})"), required)
    add_json(parser, "the numbers")
    parser.add_argument(
        "--wandb", metavar="PROJECT", help="write the numbers into the summary of a W&B run as well (default: no W&B)"
    )


def add_faces(group: "argparse._ActionsContainer", default: str, required: bool = False) -> None:
    """Declare the network that compares faces; `default` is the last part of the help."""
    text = f"network that compares faces; repeated: the numbers of each, the first in the tables ({default})"
    group.add_argument("--faces", action="append", metavar=FACES, required=required, help=text)


def add_part_arguments(parser: argparse.ArgumentParser, stage: str = "") -> None:
    """Declare the part of the clips that a process measures; `stage` begins the help."""
    text = "measure the I-th of N parts of the clips (default: one part for each process of SLURM or torchrun)"
    parser.add_argument("--part", type=_part_of_clips, metavar="I/N", help=f"{stage}{text}")
    add_removed(parser, "--process", "--part I/N")


def add_measure_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the metrics of videos, and the networks that compute them."""
    from s2tf.evaluation.videos.metric_files import METRICS

    group = parser.add_argument_group("metrics")
    group.add_argument(
        "--metrics", default="all", metavar="NAME[,NAME]", help=f"metrics among {', '.join(METRICS)} (default: all)"
    )
    group.add_argument("--size", type=side, help="side in pixels at which pictures are compared (default: 256)")
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="folder of the public weight files under their own names (default: $S2TF_WEIGHTS, else the cache)",
    )
    group.add_argument(
        "--allow-random",
        action="store_true",
        help="use random weights where weight files are absent; such numbers are marked",
    )
    group.add_argument(
        "--protocol",
        choices=["tracked", "frame"],
        help="show SyncNet the crop around the tracked face, or the whole frame (default: tracked)",
    )
    group.add_argument(
        "--syncnet",
        type=Path,
        metavar="FOLDER",
        help="a trained SyncNet: RUN/networks/syncnet (default: the public SyncNet)",
    )
    group.add_argument(
        "--perceptual", metavar=PERCEPTUAL, help="network of the perceptual distance (default: the public LPIPS)"
    )
    add_faces(group, "default: the public VGGFace")
    group.add_argument(
        "--landmarks", metavar=LANDMARKS, help="reader of landmarks; dlib: not for commercial use (default: mediapipe)"
    )


def measure_choices(args: argparse.Namespace) -> "MeasureChoices":
    """Read the choices of metrics from the options.

    Raises:
        UserError: An option belongs to a metric that is left out.
    """
    from s2tf.evaluation.videos.open_measures import MeasureChoices

    given = {name: getattr(args, name) for name in OF_METRIC if getattr(args, name) is not None}
    for name in given:
        if args.metrics != "all" and OF_METRIC[name] not in args.metrics.split(","):
            raise UserError(
                f"--{name} has no effect: it belongs to the metric {OF_METRIC[name]}, which --metrics {args.metrics} "
                "leaves out"
            )
    return MeasureChoices(args.metrics, args.weights, args.allow_random, args.device, **given)


def add_clips_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the number of clips."""
    parser.add_argument("--clips", type=positive, metavar="N", help="take the first N clips (default: all)")


def add_speech_driven_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the test clips whose speech drives a pipeline, and everything by which its videos are measured."""
    parser.add_argument("--shards", required=True, help="shard folder or address of the test data")
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="split of the clips (default: test)"
    )
    add_result_arguments(parser, "", required=True)
    add_clips_argument(parser)
    add_part_arguments(parser)
    parser.add_argument("--seed", type=seed, default=0, help="seed of the noise (default: 0)")
    parser.add_argument("--steps", type=positive, help="number of denoising steps (default: as stored in the pipeline)")
    parser.add_argument(
        "--no-videos", action="store_true", help="do not keep the generated videos (default: keep them in OUT)"
    )
    add_measure_arguments(parser)


def speech_driven_test(args: argparse.Namespace) -> "SpeechDrivenTest":
    """Find the test clips of `add_speech_driven_arguments`, and read the choices of metrics."""
    from s2tf.evaluation.process_share import choose_part
    from s2tf.evaluation.videos.evaluate_pipeline import SpeechDrivenTest
    from s2tf.evaluation.videos.pipeline_clips import clips_with_sound
    from s2tf.evaluation.videos.request import COMPARED_SIZE

    part, choices, size = choose_part(args.part), measure_choices(args), args.size or COMPARED_SIZE
    clips = clips_with_sound(args.shards, args.split, args.clips)
    return SpeechDrivenTest(clips, choices, args.seed, args.steps, size, part, not args.no_videos)


def _part_of_clips(text: str) -> tuple[int, int]:
    try:
        return part(text)
    except argparse.ArgumentTypeError as error:
        hint = f"{error}; a share of each clip's length is `s2tf evaluate run --span FROM TO`"
        raise argparse.ArgumentTypeError(hint) from error
