"""The paper's numbers of a finished run: its portraits of the test speakers, or how ConRe aligns speech and faces."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from s2tf.commands.evaluation import Scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--run",
        dest="run_folder",
        type=Path,
        required=True,
        metavar="RUN",
        help="a finished run of SCFP or of ConRe",
    )
    parser.add_argument(
        "--faces",
        metavar="vggface=FILE | network=FOLDER | judges",
        help="SCFP: what compares faces: VGGFace's weights, a trained face encoder, or the judges of synthetic faces",
    )
    parser.add_argument(
        "--attributes",
        default="none",
        metavar="facepp | classifier=FOLDER[,FOLDER] | judges | none",
        help="what reads gender and age: Face++, image classifiers of transformers, the judges (%(default)s)",
    )
    parser.add_argument("--shards", help="other test data than the run's own")
    parser.add_argument("--clips", type=int, help="take the first so many clips (all)")
    parser.add_argument("--seed", type=int, default=0, help="of the portraits' noise (%(default)s)")
    parser.add_argument("--seeds", type=int, default=4, help="portraits of a speech, for diversity (%(default)s)")
    parser.add_argument("--varied", type=int, default=32, help="speeches with so many portraits (%(default)s)")
    parser.add_argument("--steps", type=int, default=50, help="denoiser calls (%(default)s)")
    parser.add_argument("--sampler", choices=["ddim", "dpm-solver++"], default="ddim", help="(%(default)s)")
    parser.add_argument("--guidance", type=float, default=1.0, help="1: none (%(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, help="factor on the first noise (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="portraits at once (%(default)s)")
    parser.add_argument("--pictures", type=int, default=64, help="portraits to keep as pictures (%(default)s)")
    parser.add_argument("--device", default="cpu", help="such as cuda (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the results (the run's own)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")


def run(args: argparse.Namespace) -> int:
    """Measure, write `metrics.json` and what belongs to it, and print the table."""
    from rich.console import Console

    from s2tf.errors import UserError

    console, out = Console(), args.out or args.run_folder
    try:
        with console.status("") as status:
            scores = (_alignment if _aligns(args.run_folder) else _portraits)(args, out, console, status.update)
    except ValueError as error:
        raise UserError(str(error)) from error
    console.print(scores.table())
    console.print(f"written to {out}", highlight=False)
    if args.json:
        args.json.write_text(json.dumps(scores.to_json(), indent=2) + "\n")
    return 0


def _aligns(run: Path) -> bool:
    """Whether a finished run is of ConRe; it is of SCFP otherwise.

    Raises:
        UserError: it is of neither, or not finished.
    """
    from s2tf.commands.evaluation import finished_config
    from s2tf.errors import UserError

    stage = finished_config(run, "speech_encoder").get("model", {}).get("class_path", "")
    if stage.rpartition(".")[2] not in ("ConReStage", "SCFPStage"):
        raise UserError(f"{run}: a run of {stage or 'no stage'}, expected one of ConReStage or SCFPStage")
    return stage.endswith("ConReStage")


def _alignment(args: argparse.Namespace, out: Path, console: "Console", report: Callable[[str], None]) -> "Scores":
    from s2tf.commands.evaluate_alignment import evaluate_alignment
    from s2tf.errors import UserError

    if args.faces is not None or args.attributes != "none":
        raise UserError(
            f"{args.run_folder}: a run of ConRe is measured by its own encoders: leave out --faces, --attributes"
        )
    return evaluate_alignment(args.run_folder, args.shards, args.clips, out, report, args.device, args.batch)


def _portraits(args: argparse.Namespace, out: Path, console: "Console", report: Callable[[str], None]) -> "Scores":
    from s2tf.commands.evaluate_portraits import PortraitTest, evaluate_portraits
    from s2tf.commands.evaluate_readers import open_attributes, open_faces
    from s2tf.errors import UserError
    from s2tf.pipelines.portrait import PortraitSettings

    if args.faces is None:
        raise UserError("--faces must be given for portraits: vggface=FILE, network=FOLDER or judges")
    test = PortraitTest(
        settings=PortraitSettings(
            steps=args.steps, sampler=args.sampler, guidance=args.guidance, temperature=args.temperature
        ),
        **{name: getattr(args, name) for name in ("shards", "clips", "seed", "seeds", "varied", "batch", "pictures")},
        device=args.device,
    )
    faces = open_faces(args.faces, args.device, console)
    attributes = open_attributes(args.attributes, args.device, console)
    return evaluate_portraits(args.run_folder, test, faces, attributes, out, report)
