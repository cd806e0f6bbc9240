"""The paper's tables and figures from finished runs, and what its networks take of parameters and memory."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.reporting.paper import TABLES

if TYPE_CHECKING:
    from s2tf.reporting.paper_tables import Sources

FIGURES = ("figure10", "figure11", "figure12", "portraits")
"""Endings of the files that a table is written to, and what writes them."""
RUNS = Path("runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        choices=["parameters", "memory", "communication", *TABLES, "html", *FIGURES],
        help="parameters: of every network at the paper's size; memory: what training the first stage takes; "
        "communication: what the GPUs of each stage send each other; table1 to table11, injection: what was measured "
        "beside the paper's numbers; table12: measured on this machine; html: a page of all tables and pictures that "
        "there are; figure10 to figure12: as CSV and pictures; portraits: a sheet of test speakers by variant",
    )
    parser.add_argument(
        "--out", type=Path, help="folder for the table (.md, .csv, .tex, .html), report.html or the figure (.png, .csv)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")
    measured = parser.add_argument_group("tables, html")
    measured.add_argument(
        "--runs", type=Path, help=f"where run folders are; portraits too ({RUNS}, but none where W&B is asked)"
    )
    measured.add_argument(
        "--results",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="metrics.json of any system, or its folder: for the row NAME, or a new one; several of one name are its "
        "seeds; html needs the table too: table8:NAME=PATH",
    )
    measured.add_argument("--wandb", metavar="ENTITY/PROJECT", help="take measurements of finished runs from W&B")
    measured.add_argument(
        "--wandb-offline", type=Path, metavar="DIR", help="the same from what W&B has written to disk below DIR"
    )
    measured.add_argument(
        "--mixed-protocols", action="store_true", help="put rows of different protocols beside each other, marked"
    )
    figures = parser.add_argument_group("figures, html")
    figures.add_argument("--priors", type=Path, help="figure10, figure11: folder written by `s2tf prior`")
    figures.add_argument(
        "--decoder", type=Path, help="figure10, figure11: RUN/networks/face_decoder, to draw the priors"
    )
    figures.add_argument("--run", dest="run_folder", type=Path, metavar="RUN", help="figure12: a finished run of SCFP")
    figures.add_argument(
        "--clips", type=int, default=8, help="figure12, portraits, html: speakers to show (%(default)s)"
    )
    costs = parser.add_argument_group("parameters, memory, communication, table12")
    costs.add_argument("--scfp", type=Path, help="parameters, memory: another experiment than experiments/scfp.yaml")
    costs.add_argument("--nodes", type=int, default=1, help="communication (%(default)s)")
    costs.add_argument("--gpus", type=int, default=8, help="communication: of each node (%(default)s)")
    costs.add_argument("--pipeline", type=Path, help="table12: a pipeline folder (networks of the paper's size)")
    costs.add_argument("--device", default="cpu", help="table12: such as cuda (%(default)s)")
    costs.add_argument("--seconds", type=float, default=5.0, help="table12: of speech (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Collect, print, write."""
    from s2tf.commands.options import check_json

    check_json(args.json, args.out)
    if args.what == "parameters":
        numbers = _parameters(args.scfp)
    elif args.what == "memory":
        numbers = _memory(args.scfp)
    elif args.what == "communication":
        from s2tf.reporting.costs.communication import show_communication

        numbers = show_communication(args.nodes, args.gpus)
    elif args.what == "html":
        numbers = _html(args)
    elif args.what in TABLES:
        numbers = _table(args)
    else:
        numbers = _figure(args)
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _table(args: argparse.Namespace) -> dict[str, Any]:
    from rich.markup import escape
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.efficiency import efficiency_table
    from s2tf.reporting.paper_tables import report_table
    from s2tf.reporting.write_html import table_page
    from s2tf.reporting.write_latex import write_latex

    if args.what == "table12":
        report = efficiency_table(args.pipeline, args.device, args.seconds)
    else:
        report = report_table(args.what, _sources(args))
    title = f"Table {report.table.number}: {report.table.title}"
    shown = Table("", "", *(column.heading for column in report.table.columns), title=title, title_justify="left")
    best = report.best()
    for index, texts in enumerate(report.texts()):
        cells = [escape(text) for text in texts]
        shown.add_row(*(f"[bold]{cell}[/]" if (index, n - 2) in best else cell for n, cell in enumerate(cells)))
    console = table_console()
    console.print(shown)
    for note in report.notes:
        console.print(f"- {note}", highlight=False, markup=False)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        forms = {"md": report.markdown, "csv": report.csv, "tex": lambda: write_latex(report)}
        for ending, write in {**forms, "html": lambda: table_page(report)}.items():
            (args.out / f"{args.what}.{ending}").write_text(write())
        console.print(f"written: {args.out / args.what}.md, .csv, .tex and .html", highlight=False)
    return report.to_json()


def _sources(args: argparse.Namespace) -> "Sources":
    """Where the numbers are from."""
    from s2tf.errors import UserError
    from s2tf.reporting.paper_tables import Result, Sources
    from s2tf.reporting.wandb_records import LoggedRuns, read_offline, read_project

    logged = LoggedRuns()
    if args.wandb:
        logged += read_project(args.wandb)
    if args.wandb_offline:
        logged += read_offline(args.wandb_offline)
    results = [Result.parse(text) for text in args.results]
    for one in results:
        if args.what in TABLES and one.table not in (None, args.what):
            raise UserError(f"--results {one.table}:{one.name}={one.path}: of another table than {args.what}")
    asked = args.wandb or args.wandb_offline
    return Sources(args.runs or (None if asked else RUNS), results, logged, args.mixed_protocols)


def _html(args: argparse.Namespace) -> dict[str, Any]:
    from s2tf.errors import UserError
    from s2tf.reporting.page import PAGE, write_report

    if args.out is None:
        raise UserError("html needs --out")
    args.out.mkdir(parents=True, exist_ok=True)
    numbers = write_report(_sources(args), args.clips, args.out)
    shown = [*numbers["tables"], *numbers["figures"], *(f"pictures of {folder}" for folder in numbers["samples"])]
    print(f"shown: {', '.join(shown)}")
    for name, reason in numbers["left out"].items():
        print(f"not shown: {name}: {reason}")
    print(f"written: {args.out / PAGE}")
    return numbers


def _figure(args: argparse.Namespace) -> dict[str, Any]:
    from s2tf.errors import UserError
    from s2tf.reporting.figures import prior_figure, weight_figure
    from s2tf.reporting.portrait_sheet import portraits_sheet

    needed = {"figure12": ["run_folder"], "portraits": []}.get(args.what, ["priors"])
    for name in (*needed, "out"):
        if getattr(args, name) is None:
            raise UserError(f"{args.what} needs --{name.removesuffix('_folder')}")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "portraits":
        numbers = portraits_sheet(args.runs or RUNS, args.clips, args.out)
        print(f"written: {args.out / args.what}.png")
        return numbers
    if args.what == "figure12":
        numbers = weight_figure(args.run_folder, args.clips, args.out)
    else:
        numbers = prior_figure(args.what, args.priors, args.decoder, args.out)
    print(f"written: {args.out / args.what}.png and .csv")
    return numbers


def _parameters(scfp: Path | None) -> dict[str, Any]:
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.parameters import PAPER, count_parameters

    counts = count_parameters(scfp)
    table = Table("network", "parameters", "paper (Table XII)", title="what a talking face needs", title_justify="left")
    for stage, networks in counts.items():
        for name, count in networks.items():
            shown = f"{PAPER[stage] / 1e6:.0f} M" if name == "total" else ""
            table.add_row(f"{stage} {name}", f"{count / 1e6:.1f} M", shown, end_section=name == "total")
    console = table_console()
    console.print(table)
    console.print("The face encoder, the discriminator and the networks of the losses are for training only.")
    return counts


def _memory(scfp: Path | None) -> dict[str, Any]:
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.memory import BATCH, estimate_memory

    estimates = estimate_memory(scfp=scfp)
    columns = ("stage", "weights", "gradients, Adam, averages", "a sample (bf16)", f"batch {BATCH}", "most in 48 GB")
    table = Table(*columns, title="memory of training on one GPU, estimated", title_justify="left")
    for stage, estimate in estimates.items():
        sizes = (estimate.weights, estimate.training, estimate.sample, estimate.total(BATCH))
        table.add_row(stage, *(f"{size / 1e9:.2f} GB" for size in sizes), str(estimate.largest_batch() or "not known"))
    console = table_console()
    console.print(table)
    console.print(
        "Counted without running: activations of float32, halved for bf16; attention with its matrix, which fused "
        "kernels do not keep. Workspaces and fragmentation are not in it: 15 % are left free for them."
    )
    return {stage: estimate.to_json() for stage, estimate in estimates.items()}
