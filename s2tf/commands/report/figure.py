"""Write a figure of the paper from our runs, as a picture and CSV, or a sheet of test speakers for all variants."""

import argparse
from pathlib import Path
from typing import Any

from s2tf.commands.console import write_json
from s2tf.commands.options import positive
from s2tf.commands.report.options import RUNS, add_output_arguments

_FIGURES = {
    "figure3": "portraits of one speech from several seeds, without the face prior, with β⁰, and with β",
    "figure10": "the face prior as a function of the number of averaged faces",
    "figure11": "the face prior as a function of the share of women",
    "figure12": "a map of the face prior's weights over the face, for several test speakers",
    "portraits": "a sheet of test speakers: the reference face and the portrait by each variant of the first stage",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: each figure has only the options that have an effect on it."""
    names = parser.add_subparsers(dest="figure", required=True, metavar="NAME")
    for name, title in _FIGURES.items():
        own = names.add_parser(name, help=title, description=title)
        if name in ("figure10", "figure11"):
            own.add_argument("--priors", type=Path, required=True, help="folder that `s2tf prior` has written")
            own.add_argument(
                "--decoder",
                type=Path,
                help="a trained decoder, RUN/networks/face_decoder, to show the priors as faces (default: bars only)",
            )
        elif name == "figure12":
            own.add_argument("--run", dest="run_folder", type=Path, required=True, help="a finished run of SCFP")
        else:
            own.add_argument("--runs", type=Path, default=RUNS, help="folder of run folders (default: %(default)s)")
        if name == "figure3":
            own.add_argument("--seeds", type=positive, default=3, help="number of seeds (default: %(default)s)")
            own.add_argument("--steps", type=positive, default=50, help="denoising steps (default: %(default)s)")
        if name in ("figure3", "figure12", "portraits"):
            own.add_argument(
                "--clips", type=positive, default=8, help="number of speakers to show (default: %(default)s)"
            )
        files = f"{name}.png" if name == "portraits" else f"{name}.png and {name}.csv"
        add_output_arguments(own, f"folder for {files}", required=True)


def run(args: argparse.Namespace) -> int:
    """Write the figure."""
    args.out.mkdir(parents=True, exist_ok=True)
    numbers = _draw(args)
    files = ".png" if args.figure == "portraits" else ".png and .csv"
    print(f"written: {args.out / args.figure}{files}")
    write_json(args.json, numbers)
    return 0


def _draw(args: argparse.Namespace) -> dict[str, Any]:
    from s2tf.reporting.figures import prior_figure, weight_figure
    from s2tf.reporting.portrait_sheet import portraits_sheet

    if args.figure == "figure3":
        from s2tf.reporting.seed_grid import seed_grid

        return seed_grid(args.runs, args.clips, args.seeds, args.out, args.steps)
    if args.figure == "portraits":
        return portraits_sheet(args.runs, args.clips, args.out)
    if args.figure == "figure12":
        return weight_figure(args.run_folder, args.clips, args.out)
    return prior_figure(args.figure, args.priors, args.decoder, args.out)
