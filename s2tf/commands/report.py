"""The paper's tables and figures from finished runs, and what its networks take of parameters and memory."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

TABLES = ("table1", "table2", "table3", "table4", "table5", "table6", "table10", "table11", "table12", "injection")
WIDTH = 200
FIGURES = ("figure10", "figure11", "figure12", "portraits")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        choices=["parameters", "memory", *TABLES, *FIGURES],
        help="parameters: of every network at the paper's size; memory: what training the first stage takes; table1 to "
        "table11, injection: finished runs beside the paper's numbers; table12: measured on this machine; figure10 to "
        "figure12: as CSV and pictures; portraits: a sheet of test speakers by variant",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="tables, portraits: where run folders are (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for the table (.md, .csv) or the figure (.png, .csv)")
    parser.add_argument("--priors", type=Path, help="figure10, figure11: folder written by `s2tf prior`")
    parser.add_argument(
        "--decoder", type=Path, help="figure10, figure11: RUN/networks/face_decoder, to draw the priors"
    )
    parser.add_argument("--run", dest="run_folder", type=Path, metavar="RUN", help="figure12: a finished run of SCFP")
    parser.add_argument("--clips", type=int, default=8, help="figure12, portraits: speakers to show (%(default)s)")
    parser.add_argument("--scfp", type=Path, help="parameters, memory: another experiment than experiments/scfp.yaml")
    parser.add_argument("--pipeline", type=Path, help="table12: a pipeline folder (networks of the paper's size)")
    parser.add_argument("--device", default="cpu", help="table12: such as cuda (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="table12: of speech (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")


def run(args: argparse.Namespace) -> int:
    """Collect, print, write."""
    if args.what == "parameters":
        numbers = _parameters(args.scfp)
    elif args.what == "memory":
        numbers = _memory(args.scfp)
    elif args.what in TABLES:
        numbers = _table(args)
    else:
        numbers = _figure(args)
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _table(args: argparse.Namespace) -> dict[str, Any]:
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_efficiency import efficiency_table
    from s2tf.commands.report_tables import report_table

    if args.what == "table12":
        report = efficiency_table(args.pipeline, args.device, args.seconds)
    else:
        report = report_table(args.what, args.runs)
    title = f"Table {report.table.number}: {report.table.title}"
    shown = Table("", "", *(column.heading for column in report.table.columns), title=title, title_justify="left")
    best = report.best()
    for index, texts in enumerate(report.texts()):
        shown.add_row(*(f"[bold]{text}[/]" if (index, n - 2) in best else text for n, text in enumerate(texts)))
    # A table that is written to a file is not cut to a terminal's width.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(shown)
    for note in report.notes:
        console.print(f"- {note}", highlight=False)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / f"{args.what}.md").write_text(report.markdown())
        (args.out / f"{args.what}.csv").write_text(report.csv())
        console.print(f"written: {args.out / args.what}.md and .csv", highlight=False)
    return report.to_json()


def _figure(args: argparse.Namespace) -> dict[str, Any]:
    from s2tf.commands.report_figures import prior_figure, weight_figure
    from s2tf.commands.report_portraits import portraits_sheet
    from s2tf.errors import UserError

    needed = {"figure12": "run_folder", "portraits": "runs"}.get(args.what, "priors")
    for name in (needed, "out"):
        if getattr(args, name) is None:
            raise UserError(f"{args.what} needs --{name.removesuffix('_folder')}")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "portraits":
        numbers = portraits_sheet(args.runs, args.clips, args.out)
        print(f"written: {args.out / args.what}.png")
        return numbers
    if args.what == "figure12":
        numbers = weight_figure(args.run_folder, args.clips, args.out)
    else:
        numbers = prior_figure(args.what, args.priors, args.decoder, args.out)
    print(f"written: {args.out / args.what}.png and .csv")
    return numbers


def _parameters(scfp: Path | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_parameters import PAPER, count_parameters

    counts = count_parameters(scfp)
    table = Table("network", "parameters", "paper (Table XII)", title="what a talking face needs", title_justify="left")
    for stage, networks in counts.items():
        for name, count in networks.items():
            shown = f"{PAPER[stage] / 1e6:.0f} M" if name == "total" else ""
            table.add_row(f"{stage} {name}", f"{count / 1e6:.1f} M", shown, end_section=name == "total")
    console = Console()
    console.print(table)
    console.print("The face encoder, the discriminator and the networks of the losses are for training only.")
    return counts


def _memory(scfp: Path | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_memory import BATCH, estimate_memory

    estimates = estimate_memory(scfp=scfp)
    columns = ("stage", "weights", "gradients, Adam, averages", "a sample (bf16)", f"batch {BATCH}", "most in 48 GB")
    table = Table(*columns, title="memory of training on one GPU, estimated", title_justify="left")
    for stage, estimate in estimates.items():
        sizes = (estimate.weights, estimate.training, estimate.sample, estimate.total(BATCH))
        table.add_row(stage, *(f"{size / 1e9:.2f} GB" for size in sizes), str(estimate.largest_batch() or "not known"))
    console = Console()
    console.print(table)
    console.print(
        "Counted without running: activations of float32, halved for bf16; attention with its matrix, which fused "
        "kernels do not keep. Workspaces and fragmentation are not in it: 15 % are left free for them."
    )
    return {stage: estimate.to_json() for stage, estimate in estimates.items()}
